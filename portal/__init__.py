"""The look of Forecourt: page shell, components, charts and number formatting. It knows no model and no
other app.
"""

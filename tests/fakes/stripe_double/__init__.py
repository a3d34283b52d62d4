"""A stateful stand-in for Stripe's API, run as a process: ``python -m tests.fakes.stripe_double --port 0``.

Routes, parameter names, parameter types and object shapes are read off the installed ``stripe`` package, so a
call that the package's types forbid is refused here as Stripe would refuse it. Behaviour (totals, states,
payments, webhooks) is written by hand from Stripe's documentation: it is what we believe of Stripe. With a sandbox's
key in ``SANDBOX_STRIPE_KEY``, ``tests/billing/stripe_gateway/test_invoices__sandbox.py`` tries that on Stripe itself.
"""

"""Addresses that other services call."""

from django.urls import path

from billing import webhooks

urlpatterns = [path("stripe", webhooks.stripe, name="stripe-webhook")]

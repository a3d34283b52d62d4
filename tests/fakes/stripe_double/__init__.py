"""A stateful stand-in for Stripe's API, run as a process: ``python -m tests.fakes.stripe_double --port 0``.

Routes, parameter names, parameter types and object shapes are read off the installed ``stripe`` package, so a
call that the package's types forbid is refused here as Stripe would refuse it. Behaviour (totals, states,
payments, webhooks) is written by hand from Stripe's documentation: it is what we believe of Stripe, and the
same tests can be pointed at a sandbox account to check that belief.
"""

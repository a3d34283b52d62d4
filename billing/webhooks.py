"""Where Stripe tells what happened: verified, kept, answered; a worker applies it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.stripe_account import gateway
from billing.stripe_answers import WebhookSignatureInvalid
from billing.stripe_events import keep_event
from tenants.limits.reader import whole
from tenants.problem_response import answer

if TYPE_CHECKING:
    from django.http import HttpRequest

BODY_BYTES_MAX = 1024 * 1024


# Stripe has no session and no token of ours: its signature over the body is what admits it.
@csrf_exempt
@require_POST
def stripe(request: HttpRequest) -> HttpResponse:
    """Keep a delivery that Stripe signed; 200 only after it is on disk, and again for a duplicate."""
    account = gateway()
    if account is None or not settings.STRIPE_WEBHOOK_SECRET:
        return answer(status=503, code="stripe_not_configured", detail="This installation takes no webhooks of Stripe.")
    body = request.read(BODY_BYTES_MAX + 1)
    if len(body) > BODY_BYTES_MAX:
        return answer(status=413, code="too_large", detail=f"A delivery has at most {BODY_BYTES_MAX} bytes.")
    now = datetime.now(UTC)
    try:
        seen = account.verify_event(body, request.headers.get("Stripe-Signature"), now=now)
    except WebhookSignatureInvalid as invalid:
        return answer(status=400, code="signature_invalid", detail=str(invalid))
    with whole("Stripe tells of every organization's payments; its signature admits it"):
        keep_event(seen=seen, payload=body.decode(), now=now)
    return HttpResponse(status=200)

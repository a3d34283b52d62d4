"""Energy and carbon in a sentence, on a tenant's usage and under its invoices."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from billing.pages.margin_words import carbon_words, decimal_of, small_energy
from portal.figures import number, share
from portal.punctuation import between, one_after_another

if TYPE_CHECKING:
    from billing.queries.energy import TenantEnergy


def energy_words(found: TenantEnergy | None) -> str:
    """Say what was measured, of how much GPU time, and per 1M tokens where all of it is known; "" for nothing."""
    if found is None:
        return ""
    said = {
        "energy": small_energy(Fraction(found.energy_mj)),
        "share": share(decimal_of(found.metered_share), digits=0),
    }
    parts = [_("Energy measured at the GPUs: %(energy)s, over %(share)s of the GPU time.") % said]
    if found.carbon_g is not None:
        parts.append(
            _("With cooling and the rest of the site %(carbon)s, by the grid of each cluster.")
            % {"carbon": carbon_words(found.carbon_g)}
        )
    if found.mj_per_mtok is not None:
        parts.append(_("Per 1M tokens: %(energy)s.") % {"energy": _per_mtok(found)})
    return one_after_another(parts)


def _per_mtok(found: TenantEnergy) -> str:
    assert found.mj_per_mtok is not None
    energy = small_energy(found.mj_per_mtok)
    if found.carbon_g_per_mtok is None:
        return energy
    grams = number(decimal_of(found.carbon_g_per_mtok), digits=1)
    return energy + between("comma") + _("%(grams)s g CO2e") % {"grams": grams}

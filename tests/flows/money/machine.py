"""One seeded run: acts one after the other, what holds after each, and the books and evidence at the end."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import connection, transaction

from billing.books import check_books
from billing.models import InvoiceEvidence, ProviderStatement
from billing.statements.document import differences
from billing.verifying import verify
from tenants.problems import Problem
from tests.flows.money import acts, acts_beside
from tests.flows.money.holds import held_against
from tests.flows.money.state import Money, make_money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.flows.money.acts import Act

ACTS: dict[str, tuple[Act, int]] = {
    "pay by bank": (acts.pay_by_bank, 2),
    "pay by card": (acts.pay_by_card, 3),
    "take a payment back": (acts.take_payment_back, 2),
    "credit": (acts.credit, 3),
    "spend the balance": (acts.spend_balance, 2),
    "ask for a refund": (acts.ask_refund, 2),
    "end a refund": (acts.end_refund, 3),
    "ask about a line": (acts.ask_about_a_line, 1),
    "end a question": (acts.end_question, 2),
    "charge back": (acts.charge_back, 3),
    "write off": (acts.give_up_on, 1),
    "void": (acts.void, 2),
    "use late": (acts.use_late, 1),
    "let days pass": (acts.let_a_week_pass, 6),
    "accept a gap": (acts.accept_a_gap, 1),
    "state months": (acts_beside.state_months, 2),
    "pay out": (acts_beside.pay_out, 3),
    "end a payout": (acts_beside.end_payout, 3),
    "import a bank file": (acts_beside.import_bank, 3),
    "match what waits": (acts_beside.match_waiting, 3),
    "place by hand": (acts_beside.place_by_hand, 3),
    "unmatch": (acts_beside.unmatch_one, 2),
    "dun": (acts_beside.dun, 3),
    "stop dunning": (acts_beside.stop_dunning, 1),
}
"""Everything that can happen, and how often beside the rest."""


class Broken(AssertionError):
    """An invariant does not hold; the message has the acts that led to it."""


@dataclass
class Run:
    """What happened in a run: every act with its outcome, in order."""

    seed: int
    acted: list[tuple[str, str]] = field(default_factory=list)

    def outcomes(self) -> Counter[tuple[str, str]]:
        return Counter(self.acted)

    def say(self, wrong: Sequence[str]) -> str:
        steps = "\n".join(f"  {number:3} {name}: {outcome}" for number, (name, outcome) in enumerate(self.acted))
        return f"seed {self.seed}\n{steps}\n" + "\n".join(wrong)


def run(seed: int, *, steps: int) -> Run:
    """Let `steps` acts happen as the seed has it; raises `Broken` at the first act after which something is wrong.

    A `Problem` is an answer that a caller gets: the act is refused and nothing of it may stay. Anything else raised is
    a defect.
    """
    money, made = make_money(seed), Run(seed)
    names, weights = list(ACTS), [weight for _, weight in ACTS.values()]
    wrong, postings = held_against(money, 0)
    for name in money.chance.random.choices(names, weights, k=steps):
        made.acted.append((name, _outcome(money, ACTS[name][0])))
        found, postings = held_against(money, postings)
        wrong += found
        if wrong:
            raise Broken(made.say(wrong))
    wrong = at_the_end()
    if wrong:
        raise Broken(made.say(wrong))
    return made


def _outcome(money: Money, act: Act) -> str:
    try:
        with transaction.atomic():
            done = act(money)
            # What comes at commit (deferred constraints) comes here: the run's own transaction is rolled back.
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    except Problem as refused:
        return f"refused, {refused.code}"
    return "done" if done else "nothing to act on"


def at_the_end() -> list[str]:
    """What the checks of the books and the frozen files, by their own bytes alone, say is wrong."""
    wrong = [f"{check.name}: {one}" for check in check_books() for one in check.wrong]
    for sealed in InvoiceEvidence.objects.select_related("invoice"):
        wrong += [f"evidence of {sealed.invoice.number}: {one}" for one in verify(sealed.document)]
    for statement in ProviderStatement.objects.all():
        wrong += [f"statement {statement.number}: {one}" for one in differences(json.loads(statement.document))]
    return wrong

"""What moved a tenant's account, in the languages that statements of account come in.

The books keep one English sentence for each posting, by our own constants; what stands in it besides names and numbers
is told apart here. A sentence that none of these is stands as it was booked.
"""

import re
from collections.abc import Mapping

from billing.documents.inputs import Language
from billing.documents.script import in_script, paper_in_script

_NUMBER = r"(?P<number>\S+)"
KINDS: Mapping[str, re.Pattern[str]] = {
    kind: re.compile(pattern)
    for kind, pattern in {
        "invoice": rf"Invoice {_NUMBER} issued",
        "voided": rf"Invoice {_NUMBER} voided",
        "written_off": rf"Invoice {_NUMBER}: written off",
        "recovered": rf"Invoice {_NUMBER}: recovered",
        "payment": rf"Payment of invoice {_NUMBER}",
        "reversed": rf"Payment of invoice {_NUMBER} taken back",
        "kept": rf"Credit note {_NUMBER}: paid before, kept for the tenant",
        "credit_note": rf"Credit note {_NUMBER} for invoice (?P<invoice>\S+)",
        "applied": rf"Balance applied to invoice {_NUMBER}",
        "credit_left": rf"Credit that {_NUMBER} left at its end",
        "unused_credit": r"Credit (?P<number>.+) given back",
        "overpaid": r"Received by bank, more than was owed",
        "not_of_tenant": r"Received by bank, and not of this tenant",
        "paid_out": r"Balance paid out",
        "refund_back": r"Refund came back to the balance",
    }.items()
}
"""Each kind of sentence, as it is booked."""

WORDS: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {},
    Language.ZH: {
        "invoice": "开具账单 {number}",
        "voided": "账单 {number} 作废",
        "written_off": "账单 {number} 核销",
        "recovered": "账单 {number} 核销后收回",
        "payment": "支付账单 {number}",
        "reversed": "账单 {number} 的付款被撤回",
        "kept": "贷记通知单 {number}:已付部分留作余额",
        "credit_note": "贷记通知单 {number},对应账单 {invoice}",
        "applied": "余额抵付账单 {number}",
        "credit_left": "合同 {number} 结束时剩余的贷记额",
        "unused_credit": "退还未用额度 {number}",
        "overpaid": "银行到账超出应付的部分",
        "not_of_tenant": "银行到账,不属于本租户",
        "paid_out": "余额付出",
        "refund_back": "退款退回余额",
    },
}
"""By kind; English stands as it is booked."""


def line_words(memo: str, language: Language) -> str:
    """Return what moved an account, in a language."""
    for kind, pattern in KINDS.items():
        said = pattern.fullmatch(memo)
        if said and kind in WORDS[language]:
            return in_script(WORDS[language][kind], language).format_map(said.groupdict())
    return memo


_PAPER: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {
        "title": "Statement of account",
        "from": "From",
        "for": "For",
        "days": "Days",
        "days_of": "{first} – {last}",
        "currency": "Currency",
        "owed": "{amount} to be paid",
        "kept": "{amount} in your favour",
        "even": "Nothing is owed",
        "moved": "Movements",
        "what": "What",
        "day": "Day",
        "reference": "Reference",
        "amount": "Amount",
        "balance": "Balance",
        "opening": "Opening balance",
        "invoiced": "Invoiced",
        "settled": "Paid and credited",
        "closing": "Closing balance",
        "nothing": "Nothing moved in these days.",
        "signs": "Amounts above zero are owed, amounts below zero were paid or credited. Days are those of UTC.",
        "booked": "What is booked later for one of these days is not on it: the account online has every line.",
        "page": "Page {page} of {pages}",
    },
    Language.ZH: {
        "title": "对账单",
        "from": "开具方",
        "for": "客户",
        "days": "日期",
        "days_of": "{first}至{last}",
        "currency": "货币",
        "owed": "应付 {amount}",
        "kept": "贵方余额 {amount}",
        "even": "无应付款",
        "moved": "变动明细",
        "what": "事项",
        "day": "日期",
        "reference": "附言",
        "amount": "金额",
        "balance": "余额",
        "opening": "期初余额",
        "invoiced": "开具账单",
        "settled": "付款与贷记",
        "closing": "期末余额",
        "nothing": "此期间没有变动。",
        "signs": "正数为应付,负数为已付或已贷记。日期按 UTC 计算。",
        "booked": "之后补记到此期间的变动不在本单上;在线账户列有每一笔。",
        "page": "第 {page} 页,共 {pages} 页",
    },
}
PAPER = paper_in_script(_PAPER)
"""What stands on the paper."""

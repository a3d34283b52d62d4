"""What stands on the paper of a provider's statement, in the languages that papers come in."""

import re
from collections.abc import Mapping

from billing.documents.account_words import line_words
from billing.documents.inputs import Language
from billing.documents.script import paper_in_script

_PAPER: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {
        "title": "Statement",
        "number": "Number",
        "month": "Month",
        "made": "Made",
        "for": "For",
        "headline": "{amount} owed at the end of {month}",
        "before": "Owed before",
        "now": "Owed now",
        "earned_net": "Earned, net of fee and tax",
        "earned_tax": "Tax to hand on",
        "earned_deposit": "Deposits held",
        "received": "Received directly",
        "corrections": "Corrections",
        "paid_out": "Paid out",
        "earned": "What was earned",
        "invoice": "Invoice",
        "total": "Total",
        "fee": "Fee",
        "tax": "Tax",
        "net": "Net",
        "moved": "What moved since",
        "what": "What",
        "day": "Day",
        "amount": "Amount",
        "compared_title": "Gateway and engine compared",
        "witnesses": "Witnesses",
        "billed": "Billed",
        "compared": "Compared",
        "control": "Control",
        "residual": "Residual",
        "signs": "Amounts above zero are owed to the provider. Months are those of UTC.",
        "sealed": "Document SHA-256 {sha256}: it holds every term, witness and posting behind this page.",
        "page": "Page {page} of {pages}",
    },
    Language.ZH: {
        "title": "结算单",
        "number": "编号",
        "month": "月份",
        "made": "生成日期",
        "for": "服务商",
        "headline": "截至{month}末应付 {amount}",
        "before": "期初应付",
        "now": "期末应付",
        "earned_net": "收入(已扣除服务费和税)",
        "earned_tax": "待缴税款",
        "earned_deposit": "代管押金",
        "received": "直接收到",
        "corrections": "更正",
        "paid_out": "已付款",
        "earned": "收入明细",
        "invoice": "账单",
        "total": "合计",
        "fee": "服务费",
        "tax": "税",
        "net": "净额",
        "moved": "其后变动",
        "what": "事项",
        "day": "日期",
        "amount": "金额",
        "compared_title": "网关与引擎对比",
        "witnesses": "见证",
        "billed": "计费数",
        "compared": "可比",
        "control": "对照",
        "residual": "差额",
        "signs": "正数为应付给服务商的金额。月份按 UTC 计算。",
        "sealed": "文件 SHA-256 {sha256}:其中含有本页所依据的全部条款、见证和记账。",
        "page": "第 {page} 页,共 {pages} 页",
    },
}
PAPER = paper_in_script(_PAPER)
_PAYOUT = re.compile(r"Payout (?P<number>\S+) (?P<step>made|paid|failed|back)")
_STEPS: Mapping[str, str] = {
    "made": "付款 {number} 已发起",
    "paid": "付款 {number} 已到账",
    "failed": "付款 {number} 未成功",
    "back": "付款 {number} 被退回",
}


def moved_words(memo: str, language: Language) -> str:
    """Return what moved what a provider is owed; a sentence that is not known stands as it was booked."""
    said = _PAYOUT.fullmatch(memo)
    if said and language is Language.ZH:
        return _STEPS[said["step"]].format(number=said["number"])
    return line_words(memo, language)

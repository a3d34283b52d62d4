"""What is printed on documents, in the languages they come in. The words of a page are Django's; these are frozen on
paper, and a document is made where no request is, so they are kept here, as data.
"""

from collections.abc import Mapping

from billing.documents.inputs import DocumentKind, Language
from billing.documents.script import in_script
from billing.rating.rated import PriceUnit, Unit
from billing.tax_rules.deciding import EXPORT_REASON, NO_TAX_REASON, REVERSE_CHARGE_REASON

EN: Mapping[str, str] = {
    "invoice": "Invoice",
    "collective": "Collective invoice",
    "collective_note": "It asks for these invoices together. Their lines and taxes stand on each of them.",
    "credit_note": "Credit note",
    "number": "Number",
    "issued": "Issued",
    "due": "Due",
    "period": "Period",
    "contract": "Contract",
    "order": "Your reference",
    "about": "For invoice",
    "about_from": "{number} of {day}",
    "from": "From",
    "bill_to": "Bill to",
    "vat_id": "VAT ID",
    "tax_id": "Tax ID",
    "legal_id": "Registration",
    "amount_due": "{amount} due {day}",
    "amount_owed": "{amount} due",
    "nothing_due": "Nothing to pay",
    "credited": "{amount} credited",
    "pay_online": "Pay or check every line online",
    "see_online": "See every line online",
    "item": "Item",
    "quantity": "Quantity",
    "unit_price": "Unit price",
    "tax": "Tax",
    "amount": "Amount",
    "subtotal": "Subtotal",
    "total": "Total",
    "prepaid": "Already paid",
    "due_now": "Amount due",
    "credited_now": "Amount credited",
    "tax_row": "Tax {percent} on {base}",
    "tax_row_named": "{name} {percent} on {base}",
    "tax_none": "{name} on {base}",
    "no_tax": "No tax was applied",
    "several_prices": "several prices",
    "part_of": "{share} of {base}",
    "adjusts": "Adjusts {about}",
    "leases": "GPU leases",
    "late": "Adjustments of earlier periods",
    "other": "Other",
    "how_to_pay": "How to pay",
    "holder": "Account holder",
    "iban": "IBAN",
    "bic": "BIC",
    "account": "Account",
    "bank": "Bank",
    "reference": "Reference",
    "pay_by": "Pay by",
    "by_card": "The card on file is charged. You need not do anything.",
    "name_reference": "Please name the reference, so that the payment finds this invoice.",
    "ask_how": "Ask {name} where to transfer it to: {email}.",
    "days_of": "Days and months are those of {zone}. The period is the time from its first instant up to, and without, "
    "its last.",
    "rounding": "Each line is rounded once, half to even; figures in grey are exact and are not added up.",
    "evidence": "Evidence file SHA-256 {sha256}: with it every line can be recomputed.",
    "lines_of": "{count} lines",
    "others": "{count} others",
    "lines_only": "The parts of its {count} lines are not printed: {where}.",
    "sums_only": "Its {count} lines are printed as sums: {where}.",
    "where_invoice": "each stands with its classes and days in the CSV of its page online, and in its evidence file",
    "where_online": "each stands on its page online",
    "page": "Page {page} of {pages}",
    "over_tokens": "over {count} input tokens",
}

ZH: Mapping[str, str] = {
    "invoice": "账单",
    "collective": "汇总账单",
    "collective_note": "本账单将以上各账单合并收款。明细与税额以各账单为准。",
    "credit_note": "贷记通知单",
    "number": "编号",
    "issued": "开具日期",
    "due": "付款期限",
    "period": "账期",
    "contract": "合同",
    "order": "贵方编号",
    "about": "对应账单",
    "about_from": "{number},{day}开具",
    "from": "开具方",
    "bill_to": "付款方",
    "vat_id": "增值税号",
    "tax_id": "税号",
    "legal_id": "注册号",
    "amount_due": "应付 {amount},{day}前",
    "amount_owed": "应付 {amount}",
    "nothing_due": "无需付款",
    "credited": "贷记 {amount}",
    "pay_online": "在线付款或逐行核对",
    "see_online": "在线逐行核对",
    "item": "项目",
    "quantity": "数量",
    "unit_price": "单价",
    "tax": "税",
    "amount": "金额",
    "subtotal": "小计",
    "total": "合计",
    "prepaid": "已付",
    "due_now": "应付金额",
    "credited_now": "贷记金额",
    "tax_row": "税 {percent},计税额 {base}",
    "tax_row_named": "{name} {percent},计税额 {base}",
    "tax_none": "{name},计税额 {base}",
    "no_tax": "未计税",
    "several_prices": "多个价格",
    "part_of": "{base} 的 {share}",
    "adjusts": "调整 {about}",
    "leases": "GPU 租约",
    "late": "以前账期的调整",
    "other": "其他",
    "how_to_pay": "付款方式",
    "holder": "户名",
    "iban": "IBAN",
    "bic": "BIC",
    "account": "账号",
    "bank": "银行",
    "reference": "附言",
    "pay_by": "付款期限",
    "by_card": "将从已登记的银行卡扣款,无需操作。",
    "name_reference": "请填写附言,以便款项对上本账单。",
    "ask_how": "收款账户请询问{name}:{email}。",
    "days_of": "日期与月份以 {zone} 时区为准。账期含起始时刻,不含结束时刻。",
    "rounding": "每行只舍入一次(四舍六入五成双);灰色数字为精确值,不参与加总。",
    "evidence": "凭证文件 SHA-256 {sha256}:凭它可重算每一行。",
    "lines_of": "{count} 行",
    "others": "其余 {count} 项",
    "lines_only": "本账单共 {count} 行,未逐项列出其组成:{where}。",
    "sums_only": "本账单共 {count} 行,此处按项汇总:{where}。",
    "where_invoice": "每行的类别与日期见账单页面的 CSV 与凭证文件",
    "where_online": "每行见其在线页面",
    "page": "第 {page} 页,共 {pages} 页",
    "over_tokens": "输入超过 {count} 词元",
}

WORDS: Mapping[Language, Mapping[str, str]] = {Language.EN: EN, Language.ZH: ZH}

TITLES: Mapping[DocumentKind, str] = {
    DocumentKind.INVOICE: "invoice",
    DocumentKind.CREDIT_NOTE: "credit_note",
    DocumentKind.COLLECTIVE: "collective",
}

TAX_NAMES: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {
        "S": "Tax",
        "Z": "Zero rate",
        "E": "Exempt from tax",
        "AE": "Reverse charge",
        "K": "Supply within the EU, free of tax",
        "G": "Export, free of tax",
        "O": "Not subject to tax",
    },
    Language.ZH: {
        "S": "税",
        "Z": "零税率",
        "E": "免税",
        "AE": "反向征收",
        "K": "欧盟内供应,免税",
        "G": "出口,免税",
        "O": "不征税",
    },
}
"""By category code of UNCL 5305, as EN 16931 uses it."""

TAX_REASONS: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {},
    Language.ZH: {
        REVERSE_CHARGE_REASON: "反向征收:由买方缴税",
        EXPORT_REASON: "供应至其他国家:卖方所在国不征税",
        NO_TAX_REASON: "卖方不收税",
    },
}
"""Reasons that are our own, in another language; they stand before the stored words, which the law may name."""

UNITS: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {
        Unit.TOKENS: "tokens",
        Unit.REQUESTS: "requests",
        Unit.IMAGES: "images",
        Unit.STEPS: "steps",
        Unit.GPU_SECONDS: "GPU-h",
        Unit.GB_SECONDS: "GB-h",
        Unit.PACKAGES: "packages",
        Unit.SECONDS: "h",
    },
    Language.ZH: {
        Unit.TOKENS: "词元",
        Unit.REQUESTS: "次请求",
        Unit.IMAGES: "张图片",
        Unit.STEPS: "步",
        Unit.GPU_SECONDS: "GPU 小时",
        Unit.GB_SECONDS: "GB 小时",
        Unit.PACKAGES: "包",
        Unit.SECONDS: "小时",
    },
}
"""What a quantity is printed in; those by the second are printed by the hour."""

PRICE_UNITS: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {
        PriceUnit.PER_MTOK: "/ 1M",
        PriceUnit.PER_REQUEST: "/ request",
        PriceUnit.PER_IMAGE: "/ image",
        PriceUnit.PER_STEP: "/ step",
        PriceUnit.PER_SECOND: "/ s",
        PriceUnit.PER_GPU_HOUR: "/ GPU-h",
        PriceUnit.PER_GB_MONTH: "/ GB-month",
        PriceUnit.PER_PACKAGE: "/ package",
        PriceUnit.PER_PERIOD: "/ period",
    },
    Language.ZH: {
        PriceUnit.PER_MTOK: "/ 百万",
        PriceUnit.PER_REQUEST: "/ 次",
        PriceUnit.PER_IMAGE: "/ 张",
        PriceUnit.PER_STEP: "/ 步",
        PriceUnit.PER_SECOND: "/ 秒",
        PriceUnit.PER_GPU_HOUR: "/ GPU 小时",
        PriceUnit.PER_GB_MONTH: "/ GB 月",
        PriceUnit.PER_PACKAGE: "/ 包",
        PriceUnit.PER_PERIOD: "/ 账期",
    },
}

CLASSES: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {
        "input": "Input",
        "cached_input": "Cached input",
        "cache_write": "Cache write",
        "output": "Output",
        "reasoning": "Reasoning",
        "requests": "Requests",
        "images": "Images",
        "audio_seconds": "Audio",
        "video_seconds": "Video",
        "steps": "Steps",
    },
    Language.ZH: {
        "input": "输入",
        "cached_input": "缓存输入",
        "cache_write": "缓存写入",
        "output": "输出",
        "reasoning": "推理",
        "requests": "请求",
        "images": "图片",
        "audio_seconds": "音频",
        "video_seconds": "视频",
        "steps": "步骤",
    },
}


CREDIT_REASONS: Mapping[Language, Mapping[str, str]] = {
    Language.EN: {
        "billing_error": "Billed wrongly",
        "service": "The service was not as agreed",
        "dispute": "A question was granted",
        "goodwill": "Goodwill",
        "cancelled": "The order was cancelled",
    },
    Language.ZH: {
        "billing_error": "计费有误",
        "service": "服务与约定不符",
        "dispute": "异议成立",
        "goodwill": "优惠补偿",
        "cancelled": "订单已取消",
    },
}
"""By `billing.models.CreditReason`."""

HEADINGS: Mapping[str, str] = {"GPU leases": "leases", "Adjustments of earlier periods": "late", "Other": "other"}
"""The headings that are words of ours, as they are stored; others are names of models."""


def heading_words(stored: str, language: Language) -> str:
    """Return what lines stand under, in the document's language."""
    own = HEADINGS.get(stored)
    return say(language, own) if own else stored


def say(language: Language, key: str, **figures: str) -> str:
    """Return a text of a document; an unknown key is a KeyError."""
    words = WORDS[language][key]
    return in_script(words, language).format(**figures)


def class_words(language: Language, token_class: str, context_over: str = "") -> str:
    """Return what a class of tokens is called, with its tier where it has one."""
    name = CLASSES[language].get(token_class, token_class)
    between = in_script(",", language) if language is Language.ZH else ", "
    return f"{name}{between}{say(language, 'over_tokens', count=context_over)}" if context_over else name

"""What a line is called on a document in the document's language."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from billing.documents.inputs import Language
from billing.documents.script import in_script
from billing.rating.debit import RULE_LATE_FEE, said_late_fee
from billing.rating.rated import WHOLE_PERCENT
from billing.rating.words import line_words

SEPARATOR = " · "
SOME_SHARE = "a share"

ZH: Mapping[str, str] = {
    "lease_flat_per_period": "每期固定金额",
    "lease_flat_per_day": "每日固定金额",
    "lease_holdover": "超过约定期限的占用",
    "lease_provider_fault": "因服务商原因损失的时间,不计费",
    "lease_early_end_notice": "提前终止:至通知期满",
    "lease_early_end_share_of_remainder": "提前终止:剩余部分的 {share}",
    "lease_early_end_minimum_term": "提前终止:至最短租期满",
    "lease_deposit_taken": "押金",
    "lease_deposit_returned": "退还押金",
    "lease_in_advance": "预收下一期",
    "lease_paid_in_advance": "已预付",
    "on_demand_minimum": "补足最短时长",
    "on_demand_provider_fault": "因服务商原因损失的时间,不计费",
    "spot_minimum": "补足最短时长",
    "spot_notice_not_kept": "未提前通知即收回,不计费",
    "spot_provider_fault": "因服务商原因损失的时间,不计费",
    "availability_credit": "按实测可用性返还",
    "token_share_list_price": "标价的 {share}",
    "token_share_transfer_price": "结算价的 {share}",
    "token_price_book": "按价目表",
    "token_price_own": "按约定价格",
    "token_price_tier": "分段计价",
    "token_price_volume": "按总量计价",
    "token_price_allowance": "免费额度",
    "token_price_package": "套餐",
    "token_price_packaged": "套餐内",
    "discount_percent": "折扣",
    "discount_amount": "折扣",
    "commitment_true_up": "补足承诺用量",
    "commitment_recouped": "抵用此前补足的差额",
    "credit_drawn": "由预付额度支付",
    "share_of_base": "经认证收入的 {share}",
    "share_tier_marginal": "该段基数的 {share}",
    "share_tier_whole": "按所达分段,基数的 {share}",
    "share_base_rent": "基本租金",
    "share_below_natural_breakpoint": "自然分界点以下的分成",
    "share_below_agreed_breakpoint": "约定分界点以下的分成",
    "share_rent_credited": "租金抵扣分成",
    "share_guarantee_shortfall": "最低保证金差额",
    "share_guarantee_recouped": "抵回最低保证金",
    "share_cap": "超出上限",
    "share_true_up": "此前结算的调整",
    "share_reserve_held": "留存准备金",
    "share_reserve_released": "释放准备金",
    "debit_correction": "此前少计",
    "debit_late_fee": "逾期付款",
    "credit_brought_forward": "上期结转抵扣",
    "credit_carried_forward": "结转下期抵扣",
    "rounded_below_zero": "舍入调平",
    "share_excluded_tests": "测试,不分成",
    "share_excluded_free_tier": "免费层,不分成",
    "share_excluded_refunds": "退款,不分成",
    "share_excluded_failed_streams": "失败的流,不分成",
    "share_excluded_cache_hits": "缓存命中,不分成",
    "share_excluded_taxes": "税费,不分成",
    "share_excluded_gateway_fees": "网关费用,不分成",
    "share_excluded_interrupted_not_billed": "中断的流,不计费",
    "share_excluded_interrupted_not_delivered": "中断的流,未送达的部分",
    "share_added_interrupted_added": "中断的流,已生成而未上报的部分",
    "share_excluded_witness_lower": "超出容差,按较低计数计费",
    "share_excluded_witness_engine": "超出容差,按引擎计数计费",
    "share_added_witness_engine": "超出容差,按引擎计数计费",
    "share_excluded_witness_held": "超出容差,搁置至商定",
    "share_excluded_witness_agreed": "超出容差,按商定计数计费",
    "share_added_witness_agreed": "超出容差,按商定计数计费",
    "share_certified_difference": "经认证收入减计量收入",
    "share_estimated_difference": "估计收入减计量收入",
    "share_witness_settled": "以前账期搁置的计数,已商定",
    "share_audit_difference": "审计认定",
    "share_audit_cost": "审计费用",
    "late_usage": "账单开具后到达",
}
"""In Chinese, by rule that has words."""
ZH_LATE_FEE: Final = "到期 {days} 天后仍未支付"


def line_name(description: str, *, rule: str, share_percent: Decimal | None, language: Language) -> str:
    """Return what a stored line is called: reference and title as they are, the words of its rule in the language.

    A percentage is written as everywhere else on the paper, 30%; stored it is 30 %.
    """
    if rule == RULE_LATE_FEE:
        description = title_words(description, language)
    own = SOME_SHARE if share_percent is None else _share(share_percent)
    for share in dict.fromkeys((own, _share(WHOLE_PERCENT), SOME_SHARE)):
        words = line_words(rule, share)
        if words and description.endswith(words):
            return description.removesuffix(words) + rule_name(rule, share.replace(" %", "%"), language)
    return description


def title_words(title: str, language: Language) -> str:
    """Return what a term is called: why a late fee is charged is said in the language, what people wrote stays."""
    found = said_late_fee(title)
    if found is None or language is not Language.ZH:
        return title
    return title.replace(found[0], in_script(ZH_LATE_FEE.format(days=found[1]), language))


def rule_name(rule: str, share: str, language: Language) -> str:
    """Return the words of a rule in a language; `share` is what it says of a percentage."""
    if language is not Language.ZH or rule not in ZH:
        return line_words(rule, share)
    said = in_script(ZH[rule], language)
    return said.replace(" {share}", "一部分") if share == SOME_SHARE else said.format(share=share)


def _share(percent: Decimal) -> str:
    return f"{percent.normalize():f} %"

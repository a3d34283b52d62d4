"""Each field of a lease, of sessions and of credit has words of its own in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from billing.pages.contract_words import field_words
from billing.pages.term_fields import FIELDS

CHINESE = {
    "flat_amount_per_day": "每日固定金额",
    "billed": "计费时点",
    "provider_fault": "服务商责任的原因",
    "at_end": "到期时",
    "renew_days": "续期天数",
    "early_end": "提前终止",
    "early_end_notice_days": "提前终止的通知天数",
    "early_end_percent_of_remainder": "提前终止时剩余部分的百分比",
    "minimum_term_days": "最短租期天数",
    "holdover_price_per_gpu_hour": "超期每 GPU 小时价格",
    "holdover_percent": "超期价格百分比",
    "extension_price": "延期价格",
    "price_percent": "价格百分比",
    "minimum_seconds": "最短计费秒数",
    "billed_states": "计费的状态",
    "notice_seconds": "提前通知秒数",
    "unkept_notice_free_seconds": "未提前通知时的免费秒数",
    "ladder": "阶梯",
    "below_percent": "低于百分比",
    "credit_percent": "返还百分比",
    "causes": "原因",
    "refs": "适用条款",
    "amount_per_year": "每年金额",
    "terms": "计入的条款",
    "grants": "授予的额度",
    "amount": "金额",
    "expires_at": "到期时间",
    "priority": "优先级",
    "bought": "已购买",
    "hard_stop": "硬性停用",
    "check_every_s": "检查间隔秒数",
    "counted_within_s": "计入延迟秒数",
    "spend_amount_per_hour_most": "每小时最高花费",
    "stop_at_amount": "停用阈值",
    "overdrawn_amount_most": "最高透支",
    "cause": "事由",
    "invoice": "账单",
    "reason": "原因说明",
    "line": "明细行",
    "coupon": "优惠券",
    "code": "代码",
    "periods_most": "最多账期数",
}


@pytest.mark.parametrize("field", CHINESE)
def test_a_field_is_said_in_chinese(field: str) -> None:
    with translation.override("zh-hans"):
        assert field_words(field) == CHINESE[field]
    with translation.override("en"):
        assert field_words(field) == str(FIELDS[field])
        assert field_words(field).isascii()


def test_each_has_a_row_here() -> None:
    assert CHINESE.keys() == FIELDS.keys()

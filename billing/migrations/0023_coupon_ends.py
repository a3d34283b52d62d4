"""Ends of coupons, and tries to redeem one, which are counted."""

import django.db.models.deletion
from django.db import migrations, models

import tenants.ids
from tenants.guards import append_only


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_price_rules_gone")]

    operations = [
        migrations.CreateModel(
            name="CouponEnd",
            fields=[
                ("id", models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("coupon", models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name="end", to="billing.coupon")),
            ],
        ),
        migrations.CreateModel(
            name="CouponTry",
            fields=[
                ("id", models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("contract", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="coupon_tries", to="billing.contract")),
            ],
        ),
        append_only("billing_couponend"),
    ]

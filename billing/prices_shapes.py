"""What the API of prices takes and answers, as the schema shows it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.models import IndexSource
from billing.queries.price_books import Standing
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer


class BookSerializer(serializers.Serializer[Any]):
    """A price book."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    currency = serializers.CharField()
    provider = serializers.CharField(help_text="the provider's slug")


class BooksSerializer(PagedSerializer):
    """Price books of the organization, and those that its contracts refer to."""

    price_books = BookSerializer(many=True)


class NewBookSerializer(ClosedSerializer):
    """A price book to open."""

    name = serializers.CharField(max_length=200)
    currency = serializers.CharField(min_length=3, max_length=3, help_text="ISO 4217")


class PriceRowSerializer(ClosedSerializer):
    """One price; exactly one of the fields that name a unit is given."""

    model = serializers.CharField(required=False, help_text="served model, card or kind of storage")
    quantity = serializers.CharField(required=False, help_text="class of tokens, or what is counted")
    context_over = serializers.IntegerField(required=False, help_text="of requests above so many input tokens")
    mark = serializers.CharField(required=False, help_text="mark of usage that a factor is for")
    price_per_mtok = serializers.CharField(required=False)
    price_per_request = serializers.CharField(required=False)
    price_per_image = serializers.CharField(required=False)
    price_per_second = serializers.CharField(required=False)
    price_per_step = serializers.CharField(required=False)
    price_per_gpu_hour = serializers.CharField(required=False)
    price_per_gb_month = serializers.CharField(required=False)
    factor = serializers.CharField(required=False)


class PriceVersionSerializer(serializers.Serializer[Any]):
    """A published version of a price book."""

    id = serializers.UUIDField()
    price_book_id = serializers.UUIDField()
    number = serializers.IntegerField()
    currency = serializers.CharField()
    standing = serializers.ChoiceField([str(each) for each in Standing if each is not Standing.DRAFT])
    announced_at = serializers.DateTimeField()
    effective_at = serializers.DateTimeField()
    prices = PriceRowSerializer(many=True)


class PriceVersionsSerializer(PagedSerializer):
    """Versions in the order they take effect."""

    price_versions = PriceVersionSerializer(many=True)


class NewVersionSerializer(ClosedSerializer):
    """A version to publish: the complete list of prices."""

    price_book_id = serializers.UUIDField(source="price_book")
    effective_at = serializers.DateTimeField(help_text="from when the prices are in force")
    prices = PriceRowSerializer(many=True)


class VersionQuerySerializer(serializers.Serializer[Any]):
    """The query of the list of versions."""

    price_book_id = serializers.UUIDField(source="price_book", required=False)


class IndexPriceSerializer(serializers.Serializer[Any]):
    """One public price, for one of its unit."""

    as_of = serializers.DateField()
    seller = serializers.CharField()
    name = serializers.CharField(help_text="as the source names the model or card")
    unit = serializers.CharField()
    quantity = serializers.CharField()
    context_over = serializers.IntegerField()
    mark = serializers.CharField()
    currency = serializers.CharField()
    price = serializers.CharField()
    stated_on = serializers.DateField()
    link = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `source`, which every field of the framework has already."""
        return {"source": serializers.CharField(), **super().get_fields()}


class IndexSerializer(PagedSerializer):
    """Public prices of the newest import of each source."""

    prices = IndexPriceSerializer(many=True)


class IndexImportRequestSerializer(ClosedSerializer):
    """A file of public prices to be taken in."""

    as_of = serializers.DateField(help_text="the day of which its prices are")
    document = serializers.CharField(trim_whitespace=False, help_text="the file, as text")
    dry_run = serializers.BooleanField(default=False, help_text="only say what it would change")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `source`, which every field of the framework has already."""
        return {"source": serializers.ChoiceField(IndexSource.choices), **super().get_fields()}


class LeftOutSerializer(serializers.Serializer[Any]):
    """An entry of a file of public prices that is not taken."""

    where = serializers.CharField(help_text="which entry, by its place or name in the file")
    reason = serializers.CharField(help_text="what was found, and what is expected")


class IndexImportSerializer(serializers.Serializer[Any]):
    """What a file of public prices holds, and what it changes since the import before."""

    as_of = serializers.DateField()
    sha256 = serializers.CharField()
    read = serializers.IntegerField(help_text="entries of the file")
    prices = serializers.IntegerField()
    left_out = LeftOutSerializer(many=True, help_text="entries of the file that are not taken; at most 1,000")
    since = serializers.DateField(allow_null=True, help_text="of the import before; null for the first")
    rose = serializers.IntegerField()
    fell = serializers.IntegerField()
    new = serializers.IntegerField()
    gone = serializers.IntegerField()
    taken = serializers.BooleanField(help_text="whether it is stored: not so of a dry run")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Add `source`, which every field of the framework has already."""
        return {"source": serializers.CharField(), **super().get_fields()}


class IndexQuerySerializer(serializers.Serializer[Any]):
    """The query of public prices."""

    search = serializers.CharField(max_length=100, required=False)

"""The strict page reader: every oddity is an outcome with a reason, no bytes crash it."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.agent.exposition import Fault, ParsedPage, Sample, parse_page, register_value, type_fault
from tests.examples import examples
from tests.fakes.engine_pages import recorded

NAME = "vllm:prompt_tokens_total"


def only(page: ParsedPage, name: str = NAME) -> Sample:
    (sample,) = page.samples[name]
    return sample


def reason(text: str) -> str:
    """Why the one sample, the series, or the page is not read; "" if it is."""
    page = parse_page(text.encode(), [NAME])
    if page.page_fault is not None:
        return page.page_fault.reason
    if NAME in page.faults:
        return page.faults[NAME].reason
    sample = only(page)
    if sample.number is None:
        assert sample.fault is not None
        return sample.fault.reason
    value = register_value(sample.number)
    return value.reason if isinstance(value, Fault) else ""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("12.0", 12),
        ("0", 0),
        ("-0.0", 0),
        ("+7", 7),
        ("5.", 5),
        ("3.21457e+06", 3_214_570),
        ("1.23457e+08", 123_457_000),
        ("9.007199254740993e+15", 9_007_199_254_740_993),
        ("1E3", 1_000),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_values_are_exact_integers_however_they_are_written(text: str, value: int) -> None:
    sample = only(parse_page(f"{NAME} {text}\n".encode(), [NAME]))
    assert sample.number is not None
    assert register_value(sample.number) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{NAME} 1\n", ""),
        (f"{NAME}{{}} 1\n", ""),
        (f'{NAME}{{a="1",}} 1\n', ""),
        (f'{NAME}{{ a = "1" , b="2" }}   1  \n', ""),
        (f"{NAME} 1 1395066363000\n", ""),
        (f"{NAME} 1\r\n", ""),
        (f"{NAME} NaN\n", "not_a_number"),
        (f"{NAME} nan\n", "not_a_number"),
        (f"{NAME} +Inf\n", "not_a_number"),
        (f"{NAME} -Inf\n", "not_a_number"),
        (f"{NAME} Infinity\n", "not_a_number"),
        (f"{NAME} 1.5\n", "fraction"),
        (f"{NAME} 1e-3\n", "fraction"),
        (f"{NAME} -1\n", "out_of_range"),
        (f"{NAME} 9223372036854775808\n", "out_of_range"),
        (f"{NAME} 1e9999\n", "out_of_range"),
        (f"{NAME} 1e-9999\n", "out_of_range"),
        (f"{NAME} {'1' * 41}\n", "malformed"),
        (f"{NAME} 1_000\n", "malformed"),
        (f"{NAME} 0x10\n", "malformed"),
        (f"{NAME} 1,5\n", "malformed"),
        (f"{NAME} \N{ARABIC-INDIC DIGIT ONE}\n", "malformed"),
        (f"{NAME}\n", "malformed"),
        (f"{NAME} \n", "malformed"),
        (f'{NAME}{{a="1"}}\n', "malformed"),
        (f'{NAME}{{a="1" 1\n', "malformed"),
        (f"{NAME}{{a=1}} 1\n", "malformed"),
        (f'{NAME}{{a="1",a="2"}} 1\n', "malformed"),
        (f'{NAME}{{a="1"b="2"}} 1\n', "malformed"),
        (f'{NAME}{{a="\\x"}} 1\n', "malformed"),
        (f'{NAME}{{a="\x01"}} 1\n', "malformed"),
        (f'{NAME}{{a="{"x" * 513}"}} 1\n', "label_too_long"),
        (f'{NAME}{{a="{"x" * 20_000}"}} 1\n', "malformed"),
        (f'{NAME} 1 # {{trace_id="a"}} 1.0\n', "openmetrics_suffix"),
        (f"{NAME} 1 1395066363.123\n", "openmetrics_suffix"),
        (f"{NAME} 1 2 3\n", "openmetrics_suffix"),
        (f"{NAME} 1\n{NAME} 1\n", "duplicate_series"),
        (f'{NAME}{{a="1",b="2"}} 1\n{NAME}{{b="2",a="1"}} 5\n', "duplicate_series"),
        ("vllm_prompt_tokens_total 1\n", "escaped_colons"),
        (f"{NAME} 1", "truncated"),
        (f"{NAME} 123\n{NAME}", "truncated"),
    ],
)
def test_every_oddity_has_its_reason(text: str, expected: str) -> None:
    assert reason(text) == expected


def test_a_label_that_is_not_utf8_is_malformed() -> None:
    page = parse_page(f'{NAME}{{a="'.encode() + b'\xff"} 1\n', [NAME])
    assert page.faults[NAME].reason == "malformed"


def test_escapes_in_labels_are_undone() -> None:
    sample = only(parse_page(f'{NAME}{{a="q\\"b\\\\s}}, x=\\\\"}} 1\n'.encode(), [NAME]))
    assert dict(sample.labels) == {"a": 'q"b\\s}, x=\\'}


def test_a_line_break_in_a_label_is_a_control_character() -> None:
    assert reason(f'{NAME}{{a="a\\nb"}} 1\n') == "malformed"


def test_only_the_whole_name_counts() -> None:
    text = f"{NAME}_more 5\n{NAME}_sum 6\nx{NAME} 7\n# {NAME} 8\n"
    assert parse_page(text.encode(), [NAME]).samples == {}


def test_a_fault_of_one_series_leaves_the_others_alone() -> None:
    page = parse_page(f"{NAME} what is this\nother_total 3\n".encode(), [NAME, "other_total"])
    assert only(page).fault == Fault("malformed", "value what")
    assert only(page, "other_total").number == Decimal(3)


def test_a_faulty_line_elsewhere_on_the_page_does_not_matter() -> None:
    text = f"# HELP\n\n}}}}{{{{\n\x00\x01\nother{{ NaN\n{NAME} 4\n# EOF\n"
    assert only(parse_page(text.encode(), [NAME])).number == Decimal(4)


def test_a_page_with_both_spellings_is_read_by_the_right_one() -> None:
    page = parse_page(f"vllm_prompt_tokens_total 1\n{NAME} 4\n".encode(), [NAME])
    assert page.faults == {}
    assert only(page).number == Decimal(4)


def test_an_empty_page_has_nothing_and_no_fault() -> None:
    assert parse_page(b"", [NAME]) == ParsedPage()


@pytest.mark.parametrize(
    ("header", "sample", "expected", "faulty"),
    [
        (f"# TYPE {NAME} counter\n", NAME, "counter", False),
        ("# TYPE vllm:prompt_tokens counter\n", NAME, "counter", False),
        (f"# TYPE {NAME} untyped\n", NAME, "counter", False),
        ("", NAME, "counter", False),
        (f"# TYPE {NAME} gauge\n", NAME, "counter", True),
        (f"# TYPE {NAME} histogram\n", NAME, "counter", True),
        ("# TYPE tgi histogram\n", "tgi_sum", "histogram", False),
        ("# TYPE tgi summary\n", "tgi_sum", "histogram", True),
        (f"# TYPE {NAME}\n", NAME, "counter", False),
    ],
)
def test_a_declared_type_must_fit(header: str, sample: str, expected: str, faulty: bool) -> None:
    page = parse_page(f"{header}{sample} 1\n".encode(), [sample])
    fault = type_fault(page, sample, expected)
    assert (fault is not None) == faulty
    if fault is not None:
        assert fault.reason == "wrong_type"


labels = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True),
    st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), max_size=20),
    max_size=4,
)


def rendered(series: dict[str, str], value: str) -> str:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"')

    inside = ",".join(f'{name}="{escaped(text)}"' for name, text in series.items())
    return f"{NAME}{{{inside}}} {value}\n"


@pytest.mark.unmeasured
@given(
    st.lists(
        st.tuples(labels, st.integers(0, 2**63 - 1)), max_size=6, unique_by=lambda row: tuple(sorted(row[0].items()))
    )
)
@settings(max_examples=examples(60))
def test_whatever_is_rendered_is_read_back(rows: list[tuple[dict[str, str], int]]) -> None:
    # U+0085 and its like end a line for str.splitlines, not for the format.
    text = "".join(rendered(series, str(value)) for series, value in rows)
    page = parse_page(text.encode(), [NAME])
    assert page.faults == {}
    read = [(dict(sample.labels), sample.number) for sample in page.samples.get(NAME, ())]
    assert read == [(series, Decimal(value)) for series, value in rows]


@settings(max_examples=examples(25))
@given(st.integers(0, 2**53))
def test_a_float_as_python_prints_it_is_the_same_integer(value: int) -> None:
    sample = only(parse_page(f"{NAME} {float(value)!r}\n".encode(), [NAME]))
    assert sample.number is not None
    assert register_value(sample.number) == value


@settings(max_examples=examples(25))
@given(st.integers(0, 10**15))
def test_six_significant_digits_are_read_as_printed_and_never_rise_out_of_order(value: int) -> None:
    """What llama.cpp prints, `%g`: the value read is off by half a step at most, and rounding keeps the order."""
    read = [
        register_value(Decimal(str(only(parse_page(f"{NAME} {each:g}\n".encode(), [NAME])).number)))
        for each in (value, value + 1)
    ]
    assert all(isinstance(each, int) for each in read)
    first, second = int(str(read[0])), int(str(read[1]))
    assert first <= second
    assert abs(first - value) * 2 <= 10 ** max(len(str(value)) - 6, 0)


@given(st.binary(max_size=400))
@settings(max_examples=examples(120))
def test_no_bytes_crash_the_reader(noise: bytes) -> None:
    parse_page(noise, [NAME])
    page = parse_page(NAME.encode() + noise + b"\n", [NAME])
    for sample in page.samples.get(NAME, ()):
        assert (sample.number is None) == (sample.fault is not None)


@given(st.data())
@settings(max_examples=examples(50))
def test_a_real_page_cut_anywhere_gives_its_true_values_or_a_fault(data: st.DataObject) -> None:
    whole = recorded("vllm").encode()
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    page = parse_page(cut, [NAME])
    if cut.endswith(b"\n") and NAME in page.samples:
        assert only(page).number == Decimal(123_456)
    elif not cut.endswith(b"\n") and cut:
        assert page.page_fault is not None
        assert page.samples == {}


def test_a_samples_own_time_is_kept() -> None:
    stamped, plain = parse_page(b'a{x="1"} 2 1795428000123\na{x="2"} 3\n', ["a"]).samples["a"]
    assert (stamped.timestamp_ms, plain.timestamp_ms) == (1_795_428_000_123, None)

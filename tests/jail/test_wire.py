"""Values cross to the tests whole, or not at all."""

import collections
import datetime
import decimal
import fractions
import math
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.jail.inside.wire import Closed, Malformed, decode, encode, receive, send


def none(value):
    raise AssertionError(f"{value!r} is no plain data")


def there_and_back(value):
    data = encode(value, none)
    back, end = decode(data, 0, none)
    assert end == len(data)
    return back


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
HASHED = SCALARS | st.frozensets(SCALARS) | st.tuples(SCALARS, SCALARS)
VALUES = st.recursive(
    HASHED,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(HASHED, inner)
        | st.sets(HASHED)
    ),
)


@given(VALUES)
def test_plain_values_arrive_as_they_were(value):
    back = there_and_back(value)
    assert back == value
    assert repr(type(back)) == repr(type(value))
    assert repr(back) == repr(value) or isinstance(value, (set, frozenset, dict, list, tuple))


@pytest.mark.parametrize(
    "value",
    [
        decimal.Decimal("1.10"),
        fractions.Fraction(1, 3),
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
        datetime.timedelta(1, 2, 3),
        collections.OrderedDict([(1, 2), (0, 3)]),
        collections.Counter("aab"),
        collections.deque([1, 2], 5),
        range(1, 9, 2),
        bytearray(b"x"),
        Ellipsis,
        int,
        -(2**70),
        "\ud800",
        -0.0,
        math.inf,
    ],
)
def test_values_of_standard_types_arrive(value):
    back = there_and_back(value)
    assert back == value
    assert repr(back) == repr(value)
    assert type(back) is type(value)


def test_a_number_of_many_digits_arrives():
    assert there_and_back(-(10**5000)) == -(10**5000)


def test_not_a_number_arrives():
    assert math.isnan(there_and_back(math.nan))


class Everything:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


@pytest.mark.parametrize("base", [int, float, str, list, tuple, dict, set, frozenset, bytes])
def test_a_subclass_that_equals_everything_arrives_as_its_base(base):
    value = type("Sly", (Everything, base), {})()
    back = there_and_back(value)
    assert type(back) is base
    assert back == base()
    assert back != "something else"


def test_other_objects_stay_where_they_are():
    seen = []
    data = encode([1, Everything()], lambda value: seen.append(value) or 7)
    assert decode(data, 0, lambda number: f"handle {number}")[0] == [1, "handle 7"]
    assert len(seen) == 1


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"x", b"i", b"i12", b"izz;", b"s5;abc", b"l2;N", b"l99999999999;N", b"d1;lN"),
        *(b"O6;systemt0;", b"O4;evalt1;s1;1", b"C4;quit", b"C2;os", b"Odate;", b"l-1;", b"f1p;"),
        *(b"l1;" * 100_000, b"O8;Fractiont2;i1;i0;", b"d1;l0;N", b"S1;l0;"),
    ],
)
def test_what_is_no_value_is_refused(data):
    with pytest.raises(Malformed):
        decode(data, 0, none)


def test_noise_is_refused_or_decoded_to_plain_data():
    draw = random.Random(0)
    for _ in range(20_000):
        data = bytes(draw.choice(b"NTFilsdtSZOCbyc;0123") for _ in range(draw.randrange(30)))
        try:
            decode(data, 0, none)
        except Malformed:
            continue


def test_messages_arrive_whole_and_an_end_is_told():
    reading, writing = os.pipe()
    send(writing, b"one")
    send(writing, b"")
    assert receive(reading) == b"one"
    assert receive(reading) == b""
    os.close(writing)
    with pytest.raises(Closed):
        receive(reading)
    os.close(reading)


def test_a_message_that_is_too_long_is_not_read():
    reading, writing = os.pipe()
    os.write(writing, b"\xff\xff\xff\xff")
    with pytest.raises(Malformed, match="4,294,967,295"):
        receive(reading)
    os.close(reading)
    os.close(writing)

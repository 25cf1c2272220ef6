"""Java answers and tests -> files, with the tuples that MultiPL-E imports from org.javatuples."""

TUPLES = ("Unit", "Pair", "Triplet", "Quartet", "Quintet")
TUPLE = """package org.javatuples;

public final class NAME<TYPES> {
    private final Object[] values;

    private NAME(Object... values) {
        this.values = values;
    }

    public static <TYPES> NAME<TYPES> with(PARAMETERS) {
        return new NAME<TYPES>(ARGUMENTS);
    }

METHODS
    @Override public boolean equals(Object other) {
        return other != null && other.getClass() == NAME.class
            && java.util.Arrays.equals(values, ((NAME<?QUERIES>) other).values);
    }

    @Override public int hashCode() {
        return java.util.Arrays.hashCode(values);
    }

    @Override public String toString() {
        return java.util.Arrays.toString(values);
    }
}
"""
METHOD = """    @SuppressWarnings("unchecked") public TYPE getValueNUMBER() {
        return (TYPE) values[NUMBER];
    }
"""


def whole(source: str, tests: str, mark: str) -> dict[str, str]:
    """A class of ours calls the tests' `main`."""
    text = source + "\n" + tests
    tested = "Main" if "class Main" in text else "Problem"
    code = (
        f"class Judge_{mark} {{ public static void main(String[] a) throws Throwable {{ "
        f"var in = System.in; var out = System.out; {tested}.main(a); "
        f'out.println("\\n" + new String(in.readAllBytes()).trim() + " {mark}"); }} }}\n'
    )
    files = {"Main.java": text, "Judge.java": code}
    if "org.javatuples" in text:
        files |= {
            f"org/javatuples/{name}.java": _tuple(name, count)
            for count, name in enumerate(TUPLES, 1)
        }
    return files


def _tuple(name: str, count: int) -> str:
    types = [chr(ord("A") + number) for number in range(count)]
    methods = [
        METHOD.replace("TYPE", one).replace("NUMBER", str(number))
        for number, one in enumerate(types)
    ]
    parts = {
        "NAME": name,
        "TYPES": ", ".join(types),
        "PARAMETERS": ", ".join(f"{one} v{number}" for number, one in enumerate(types)),
        "ARGUMENTS": ", ".join(f"v{number}" for number in range(count)),
        "QUERIES": ", ?" * (count - 1),
        "METHODS": "\n".join(methods),
    }
    text = TUPLE
    for sign, part in parts.items():
        text = text.replace(sign, part)
    return text

"""Texts that several tests parse."""

TWO_METHODS = (
    "class A:\n    def f(self):\n        a = 1\n        b = 2\n    def g(self):\n        c\n"
)

CPP = """\
// größer
template <typename T> class A : public B {
 public:
  explicit A(T é) : x_("日本"), y_{é} { if (é > 1) { run(é, 2); } }
 private:
  T x_ = T{};
};
"""

JAVASCRIPT = """\
const ü = "👩‍👩‍👧"; function f(a, {b, c} = {}) {
  return a.map((x) => `${x}é` + b[c ?? 1]);
}
"""

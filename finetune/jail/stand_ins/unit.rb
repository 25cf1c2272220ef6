# Stands in for test/unit: what benchmarks call of it. Equality is asked of plain values alone, by
# the operators as they were before the answer, so that no object of an answer's own is equal to all.
module Test
  module Unit
    PLAIN = [Integer, Float, String, Symbol, Array, Hash, Range, Comparable, Kernel, BasicObject].freeze
    METHOD = Module.instance_method(:instance_method)
    IS_A = Module.instance_method(:===)
    EQUAL = PLAIN.reject { |one| [Comparable, Kernel].include?(one) }.to_h do |one|
      [one, METHOD.bind(one).call(:==)]
    end.freeze

    def self.is?(kind, value)
      IS_A.bind(kind).call(value)
    end

    def self.number?(value)
      is?(Integer, value) || is?(Float, value)
    end

    def self.same?(expected, actual)
      if number?(expected)
        number?(actual) && EQUAL[expected.class].bind(expected).call(actual)
      elsif is?(Array, expected)
        return false unless is?(Array, actual)
        pairs = expected.zip([].replace(actual))
        expected.size == [].replace(actual).size && pairs.all? { |a, b| same?(a, b) }
      elsif is?(Hash, expected)
        return false unless is?(Hash, actual)
        other = {}.replace(actual)
        expected.size == other.size && expected.all? { |k, v| other.key?(k) && same?(v, other[k]) }
      elsif is?(String, expected)
        is?(String, actual) && EQUAL[String].bind(expected).call(actual)
      elsif [nil, true, false].include?(expected) || is?(Symbol, expected)
        EQUAL[BasicObject].bind(expected).call(actual)
      else
        expected == actual
      end
    end

    class TestCase
      CASES = []

      def self.inherited(kind)
        CASES << kind
      end

      def assert_equal(expected, actual, _ = nil)
        return if Unit.same?(expected, actual)
        raise "expected #{expected.inspect}"
      end
    end

    ASSERT = TestCase.instance_method(:assert_equal)
    NEW = Class.instance_method(:new)
    OF = Kernel.instance_method(:method)

    # Runs every test; whether there was one and each case had our assertion.
    def self.all_run?
      ran = 0
      TestCase::CASES.each do |kind|
        object = NEW.bind(kind).call
        return false unless OF.bind(object).call(:assert_equal).unbind.owner.equal?(TestCase)
        kind.public_instance_methods(false).grep(/\Atest/).each do |name|
          OF.bind(object).call(name).call
          ran += 1
        end
      end
      ran.positive?
    end

    freeze
    TestCase.freeze
    singleton_class.freeze
    TestCase.singleton_class.freeze
  end
  freeze
end
[Module, Class, Method, UnboundMethod].each(&:freeze)

// Package assert stands in for github.com/stretchr/testify/assert: what benchmarks call of it.
package assert

import (
	"bytes"
	"fmt"
	"reflect"
)

// TestingT is what a test hands over.
type TestingT interface {
	Errorf(format string, args ...interface{})
}

// Assertions holds the test that the methods report to.
type Assertions struct {
	t TestingT
}

// New makes assertions that report to t.
func New(t TestingT) *Assertions {
	return &Assertions{t}
}

func same(expected, actual interface{}) bool {
	if expected == nil || actual == nil {
		return expected == nil && actual == nil
	}
	left, ok := expected.([]byte)
	if !ok {
		return reflect.DeepEqual(expected, actual)
	}
	right, ok := actual.([]byte)
	if !ok {
		return false
	}
	if left == nil || right == nil {
		return left == nil && right == nil
	}
	return bytes.Equal(left, right)
}

func isNil(value interface{}) bool {
	if value == nil {
		return true
	}
	switch held := reflect.ValueOf(value); held.Kind() {
	case reflect.Chan, reflect.Func, reflect.Interface, reflect.Map, reflect.Ptr, reflect.Slice:
		return held.IsNil()
	}
	return false
}

func told(t TestingT, holds bool, what string, values ...interface{}) bool {
	if !holds {
		t.Errorf("%s: %s", what, fmt.Sprintf("%#v", values))
	}
	return holds
}

// Equal reports two values that are not the same, types included.
func Equal(t TestingT, expected, actual interface{}, _ ...interface{}) bool {
	return told(t, same(expected, actual), "not equal", expected, actual)
}

// NotEqual reports two values that are the same.
func NotEqual(t TestingT, expected, actual interface{}, _ ...interface{}) bool {
	return told(t, !same(expected, actual), "equal", expected, actual)
}

// True reports a value that is false.
func True(t TestingT, value bool, _ ...interface{}) bool {
	return told(t, value, "not true")
}

// False reports a value that is true.
func False(t TestingT, value bool, _ ...interface{}) bool {
	return told(t, !value, "not false")
}

// Nil reports a value that is not nil.
func Nil(t TestingT, value interface{}, _ ...interface{}) bool {
	return told(t, isNil(value), "not nil", value)
}

// NotNil reports nil.
func NotNil(t TestingT, value interface{}, _ ...interface{}) bool {
	return told(t, !isNil(value), "nil")
}

// Equal reports two values that are not the same, types included.
func (a *Assertions) Equal(expected, actual interface{}, _ ...interface{}) bool {
	return Equal(a.t, expected, actual)
}

// NotEqual reports two values that are the same.
func (a *Assertions) NotEqual(expected, actual interface{}, _ ...interface{}) bool {
	return NotEqual(a.t, expected, actual)
}

// True reports a value that is false.
func (a *Assertions) True(value bool, _ ...interface{}) bool {
	return True(a.t, value)
}

// False reports a value that is true.
func (a *Assertions) False(value bool, _ ...interface{}) bool {
	return False(a.t, value)
}

// Nil reports a value that is not nil.
func (a *Assertions) Nil(value interface{}, _ ...interface{}) bool {
	return Nil(a.t, value)
}

// NotNil reports nil.
func (a *Assertions) NotNil(value interface{}, _ ...interface{}) bool {
	return NotNil(a.t, value)
}

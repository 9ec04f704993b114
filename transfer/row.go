package transfer

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"strings"
)

// row are the values of one row, the same on each engine: int64, float64,
// string, []byte or nil. Truths are 1 and 0.
type row []any

// normal turns what a driver gives into the value of a row.
func (k kind) normal(value any) (any, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case int64:
		if k == integer || k == boolean {
			return v, nil
		}
	case bool:
		if k == boolean && v {
			return int64(1), nil
		} else if k == boolean {
			return int64(0), nil
		}
	case float64:
		if k == number {
			return v, nil
		}
	case string:
		if k == text {
			return v, nil
		}
	case []byte:
		switch k {
		case text:
			return string(v), nil
		case blob, id:
			return v, nil
		}
	}
	return nil, fmt.Errorf("a value of type %T does not belong in this column", value)
}

// compareKeys orders two rows by their first n values, as the engines do.
func compareKeys(a, b row, n int) int {
	for i := range n {
		if order := compareValues(a[i], b[i]); order != 0 {
			return order
		}
	}
	return 0
}

// compareValues orders two values of a key.
func compareValues(a, b any) int {
	switch a := a.(type) {
	case int64:
		return cmp.Compare(a, b.(int64))
	case string:
		return strings.Compare(a, b.(string))
	}
	return bytes.Compare(a.([]byte), b.([]byte))
}

// same reports whether two rows are the same to the last bit.
func same(a, b row) bool {
	for i, value := range a {
		switch value := value.(type) {
		case []byte:
			other, ok := b[i].([]byte)
			if !ok || !bytes.Equal(value, other) {
				return false
			}
		case float64:
			other, ok := b[i].(float64)
			if !ok || math.Float64bits(value) != math.Float64bits(other) {
				return false
			}
		default:
			if value != b[i] {
				return false
			}
		}
	}
	return true
}

// sum is the checksum of a table's rows in the order of their keys: SHA-256
// over each value with its kind and its length.
type sum struct {
	hash   hash.Hash
	buffer []byte
	rows   int64
}

func newSum() *sum { return &sum{hash: sha256.New()} }

func (s *sum) add(r row) {
	s.rows++
	s.buffer = s.buffer[:0]
	for _, value := range r {
		switch v := value.(type) {
		case nil:
			s.buffer = append(s.buffer, 'n')
		case int64:
			s.buffer = binary.BigEndian.AppendUint64(append(s.buffer, 'i'), uint64(v))
		case float64:
			s.buffer = binary.BigEndian.AppendUint64(append(s.buffer, 'f'), math.Float64bits(v))
		case string:
			s.buffer = append(binary.AppendUvarint(append(s.buffer, 's'), uint64(len(v))), v...)
		case []byte:
			s.buffer = append(binary.AppendUvarint(append(s.buffer, 'b'), uint64(len(v))), v...)
		}
	}
	_, _ = s.hash.Write(s.buffer) // never fails
}

func (s *sum) String() string { return hex.EncodeToString(s.hash.Sum(nil)) }

package storagetest

import (
	"testing"

	"gorm.io/gorm"
)

// Exercise runs the promises of package storage's API against new databases
// that open returns, each promise as a subtest on one of its own: submit once,
// conflicts, the order of arrival, coins that never go below zero, the shop,
// one rule for a board, a rank and a window, cursors, rollups, the caller's
// transactions, and concurrent writers to exact totals.
func Exercise(t *testing.T, open func(t *testing.T) *gorm.DB) {
	t.Helper()
	for _, promise := range []struct {
		name string
		keep func(t *testing.T, k kit)
	}{
		{"Users", users},
		{"SubmitOnce", submitOnce},
		{"Conflicts", conflicts},
		{"OrderOfArrival", orderOfArrival},
		{"AppendThenSubmit", appendThenSubmit},
		{"Purchase", purchase},
		{"CoinsNeverBelowZero", coinsNeverBelowZero},
		{"OneRule", oneRule},
		{"Cursors", cursors},
		{"Rollups", rollups},
		{"InTransaction", inTransaction},
		{"InTransaction/Failing", inTransactionFailing},
		{"InTransaction/Interrupted", inTransactionInterrupted},
		{"ConcurrentWriters", concurrentWriters},
		{"ConcurrentRetries", concurrentRetries},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.keep(t, use(t, open)) })
	}
}

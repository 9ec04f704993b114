package storagetest

import (
	"testing"

	"gorm.io/gorm"
)

// Exercise runs the promises of package storage's API against new databases
// that open returns, each promise as a subtest on one of its own: submit once,
// conflicts, the order of arrival, mastery that the log proves, coins that never
// go below zero and whose ledger proves them, the shop, versions, one rule for a
// board, a rank and a window, cursors, seasons that settle exactly once,
// search, rollups, answers that are archived or set aside, dashboards, export
// and erasure, contexts that end, the caller's transactions, and concurrent
// writers to exact totals. On SQLite it makes archives in directories of its
// own.
func Exercise(t *testing.T, open func(t *testing.T) *gorm.DB) {
	t.Helper()
	for _, promise := range []struct {
		name string
		keep func(t *testing.T, k kit)
	}{
		{"Users", users},
		{"Users/Finding", finding},
		{"Search", search},
		{"Users/Presence", presence},
		{"Users/Dashboard", dashboard},
		{"Users/Leaving", leaving},
		{"SubmitOnce", submitOnce},
		{"Conflicts", conflicts},
		{"OrderOfArrival", orderOfArrival},
		{"AppendThenSubmit", appendThenSubmit},
		{"Mastery/Log", masteryFromLog},
		{"Mastery/AsOf", masteryAsOf},
		{"Purchase", purchase},
		{"Refund", refund},
		{"Loadouts", loadouts},
		{"Grants", grants},
		{"Economy", economy},
		{"CoinsNeverBelowZero", coinsNeverBelowZero},
		{"Versions", versions},
		{"OneRule", oneRule},
		{"Cursors", cursors},
		{"Seasons/Settled", settledOnce},
		{"Seasons/Missed", missedWeeks},
		{"Seasons/LateXP", lateXP},
		{"Seasons/Needs", needs},
		{"Seasons/Bell", bell},
		{"Rollups", rollups},
		{"EndedContexts", endedContexts},
		{"Archive", archive},
		{"Archive/Late", archiveLate},
		{"Archive/Erase", archiveErase},
		{"Archive/AtOnce", archiveAtOnce},
		{"InTransaction", inTransaction},
		{"InTransaction/Failing", inTransactionFailing},
		{"InTransaction/Interrupted", inTransactionInterrupted},
		{"ConcurrentWriters", concurrentWriters},
		{"ConcurrentRetries", concurrentRetries},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.keep(t, use(t, open)) })
	}
	t.Run("SetAside", func(t *testing.T) { setAside(t, useUnder(t, plausible(), open)) })
}

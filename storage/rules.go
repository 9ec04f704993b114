package storage

import (
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // the default zone must be there on any machine

	"github.com/flashstore/flashstore/models"
)

// Rules are the numbers of the game. Take DefaultRules and change what differs
// in your game; they must stay the same for the life of a database, because
// levels and XP are computed from them again.
type Rules struct {
	FastMS int64 // a right answer in less than this many ms is fast
	SlowMS int64 // one in more than this many ms is slow

	XPFast, XPNormal, XPSlow int64 // XP of a right answer
	XPWrong                  int64 // XP of a wrong one, 0 or less; a session's sum is never below 0
	XPPerCoin                int64 // XP of a session for one coin, rounded down
	XPPerLevel               int64 // total XP for one level

	StartCoins int64 // coins of a new user

	// Mastery is what one answer does to the level of its fact, before the
	// level is kept between 0 and 5. See StepMastery and SpeedMastery.
	Mastery MasteryRule

	// At the end of a season the first PromotePlaces of a league who have
	// PromoteXP or more move up a tier, those of the top tier stay, and each
	// gets PrizeCoins. Above the lowest tier the last DemotePlaces and all with
	// less than DemoteXP move down, but nobody who was promoted.
	PromotePlaces, PromoteXP, PrizeCoins int64
	DemotePlaces, DemoteXP               int64

	// Zone is the IANA name of the zone whose Sunday, 00:00, is the bell.
	Zone string

	// ClockSkew is how far the time in an id may be ahead of the store's
	// clock. A negative one accepts any time: for recordings.
	ClockSkew time.Duration

	// Plausibility says which answers are set aside instead of booked. By
	// default, none. Switched on later, it applies to what comes from then on.
	Plausibility Plausibility
}

// MasteryRule returns what an answer adds to the level of its fact.
type MasteryRule func(rules *Rules, correct bool, responseMS int64) models.Level

// DefaultRules returns FlashMath's rules: XP 4, 2, 1 and −2, a coin for two
// XP, a level each 1000 XP, 100 coins to start with, StepMastery, weeks of
// America/New_York, five minutes of skew; the first 3 of a league with 20 XP
// move up and get 250 coins, the last 2 and all below 20 XP move down.
func DefaultRules() Rules {
	return Rules{
		FastMS: 2000, SlowMS: 10000,
		XPFast: 4, XPNormal: 2, XPSlow: 1, XPWrong: -2,
		XPPerCoin: 2, XPPerLevel: 1000, StartCoins: 100,
		PromotePlaces: 3, PromoteXP: 20, PrizeCoins: 250,
		DemotePlaces: 2, DemoteXP: 20,
		Mastery:   StepMastery,
		Zone:      "America/New_York",
		ClockSkew: 5 * time.Minute,
	}
}

// StepMastery is the seed's rule (S31): +1 for a right answer, −1 for a wrong
// one. It is the default.
func StepMastery(_ *Rules, correct bool, _ int64) models.Level {
	if correct {
		return models.LevelStep
	}
	return -models.LevelStep
}

// SpeedMastery is FlashMath's live rule, by the speed of right answers: fast
// +1, normal +0.2, slow −0.5; a wrong answer changes nothing.
func SpeedMastery(rules *Rules, correct bool, responseMS int64) models.Level {
	if !correct {
		return 0
	}
	return bySpeed[models.Level](rules, responseMS, 100, 20, -50)
}

// bySpeed chooses by how fast a right answer was.
func bySpeed[T any](rules *Rules, responseMS int64, fast, normal, slow T) T {
	switch {
	case responseMS < rules.FastMS:
		return fast
	case responseMS > rules.SlowMS:
		return slow
	}
	return normal
}

// answerXP is what one answer earns.
func (r *Rules) answerXP(correct bool, responseMS int64) int64 {
	if !correct {
		return r.XPWrong
	}
	return bySpeed(r, responseMS, r.XPFast, r.XPNormal, r.XPSlow)
}

// level is the level of a user with that total XP.
func (r *Rules) level(totalXP int64) int64 { return totalXP/r.XPPerLevel + 1 }

// maxPrize bounds a prize, so that no sum overflows.
const maxPrize = 1 << 40

func (r *Rules) validate() error {
	var errs []error
	reject := func(bad bool, what string) {
		if bad {
			errs = append(errs, errors.New("storage.Rules: "+what+"; start from storage.DefaultRules()"))
		}
	}
	reject(r.FastMS < 0 || r.SlowMS < r.FastMS, "FastMS and SlowMS must be 0 or more, and FastMS the smaller")
	reject(r.XPWrong > 0, "XPWrong must be 0 or less")
	reject(r.XPPerCoin < 1 || r.XPPerLevel < 1, "XPPerCoin and XPPerLevel must be 1 or more")
	reject(r.StartCoins < 0, "StartCoins must be 0 or more")
	reject(r.Mastery == nil, "Mastery must be set")
	reject(r.PromotePlaces < 1 || r.DemotePlaces < 0, "PromotePlaces must be 1 or more, DemotePlaces 0 or more")
	reject(r.PromoteXP < 0 || r.DemoteXP < 0, "PromoteXP and DemoteXP must be 0 or more")
	reject(r.Plausibility.FloorMS < 0 || r.Plausibility.SessionSlack < 0 || r.Plausibility.MaxAge < 0,
		"Plausibility's FloorMS, SessionSlack and MaxAge must be 0, for off, or more")
	reject(r.PrizeCoins < 0 || r.PrizeCoins > maxPrize, "PrizeCoins must be 0 to 2^40")
	if _, err := time.LoadLocation(r.Zone); err != nil || r.Zone == "" {
		errs = append(errs, fmt.Errorf("storage.Rules: Zone %q is not an IANA zone: %w", r.Zone, err))
	}
	return errors.Join(errs...)
}

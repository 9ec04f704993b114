package models

import (
	"database/sql/driver"
	"fmt"
	"math"
	"strconv"
)

// Level is how well a fact is known, in hundredths: 0 to 500 for 0 to 5.
// Hundredths are exact where a float's fifths are not. In the database and in
// JSON it is the number from 0 to 5.
type Level int16

// The bounds of a level and one whole step of it.
const (
	LevelMin  Level = 0
	LevelStep Level = 100
	LevelMax  Level = 500
)

// Add returns l and delta, kept between 0 and 5.
func (l Level) Add(delta Level) Level {
	sum := int(l) + int(delta) // 16 bits would wrap round
	return Level(min(max(sum, int(LevelMin)), int(LevelMax)))
}

// Float returns the level as a number from 0 to 5.
func (l Level) Float() float64 { return float64(l) / float64(LevelStep) }

// String returns the level with as many decimals as it needs.
func (l Level) String() string { return strconv.FormatFloat(l.Float(), 'f', -1, 64) }

// MarshalJSON writes the number from 0 to 5.
func (l Level) MarshalJSON() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalJSON reads a number.
func (l *Level) UnmarshalJSON(text []byte) error {
	number, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("read a level: %w", err)
	}
	return l.set(number)
}

// Value gives the database the number from 0 to 5.
func (l Level) Value() (driver.Value, error) { return l.Float(), nil }

// Scan reads a number from the database.
func (l *Level) Scan(value any) error {
	switch v := value.(type) {
	case float64:
		return l.set(v)
	case int64:
		return l.set(float64(v))
	case string: // PostgreSQL's numeric
		return l.UnmarshalJSON([]byte(v))
	}
	return fmt.Errorf("read a level from the database: %v of type %T is not one", value, value)
}

// set takes a number, to the nearest hundredth.
func (l *Level) set(number float64) error {
	hundredths := math.Round(number * float64(LevelStep))
	if math.IsNaN(hundredths) || hundredths < math.MinInt16 || hundredths > math.MaxInt16 {
		return fmt.Errorf("read a level: %v is not one", number)
	}
	*l = Level(hundredths)
	return nil
}

package models_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/flashstore/flashstore/models"
)

// Fifths do not add up in floats; in hundredths they do.
func TestLevelIsExact(t *testing.T) {
	var level models.Level
	var float float64
	for range 24 {
		level = level.Add(20)
		float += 0.2
	}
	if float == 4.8 {
		t.Error("floats are exact, and Level is not needed")
	}
	if level != 480 || level.Float() != 4.8 || level.String() != "4.8" {
		t.Errorf("24 × 0.2 is %v", level)
	}
}

// The level is kept between 0 and 5 at each step, not at the end.
func TestLevelIsClampedAtEachStep(t *testing.T) {
	tests := []struct {
		name  string
		steps []models.Level
		want  []models.Level
	}{
		{"at the bottom", []models.Level{-100, -50, 20}, []models.Level{0, 0, 20}},
		{"at the top", []models.Level{480, 100, 100, -50}, []models.Level{480, 500, 500, 450}},
		{"from top to bottom", []models.Level{500, -500, -1, 501, -501}, []models.Level{500, 0, 0, 500, 0}},
		{"the greatest steps", []models.Level{math.MaxInt16, math.MaxInt16, math.MinInt16, math.MinInt16}, []models.Level{500, 500, 0, 0}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var level models.Level
			var got []models.Level
			for _, step := range test.steps {
				level = level.Add(step)
				got = append(got, level)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("levels (-want +got)\n%s", diff)
			}
		})
	}
}

func anyLevel() *rapid.Generator[models.Level] {
	return rapid.Map(rapid.Int16(), func(n int16) models.Level { return models.Level(n) })
}

func TestLevelAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level, delta := anyLevel().Draw(t, "level"), anyLevel().Draw(t, "delta")
		want := min(max(int(level)+int(delta), 0), 500)
		if got := level.Add(delta); int(got) != want {
			t.Errorf("%d and %d is %d, want %d", level, delta, got, want)
		}
	})
}

func TestLevelRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyLevel().Draw(t, "level")
		text, err := json.Marshal(want)
		if err != nil || string(text) != want.String() {
			t.Errorf("JSON is %s (%v), want %s", text, err, want)
		}
		var number float64
		if err := json.Unmarshal(text, &number); err != nil || number != want.Float() {
			t.Errorf("others read %s as %v (%v)", text, number, err)
		}
		var fromJSON, fromValue, fromText models.Level
		value, err := want.Value()
		if value != want.Float() || err != nil {
			t.Errorf("the database is given %v (%v)", value, err)
		}
		for what, err := range map[string]error{
			"JSON": json.Unmarshal(text, &fromJSON), "the database": fromValue.Scan(value), "its text": fromText.Scan(want.String()),
		} {
			if err != nil {
				t.Errorf("read from %s: %v", what, err)
			}
		}
		if fromJSON != want || fromValue != want || fromText != want {
			t.Errorf("%v is read back from JSON as %v, from the database as %v, from its text as %v", want, fromJSON, fromValue, fromText)
		}
	})
}

func TestLevelJSON(t *testing.T) {
	type answer struct {
		Level models.Level `json:"level"`
	}
	for level, want := range map[models.Level]string{
		0: `{"level":0}`, 20: `{"level":0.2}`, 57: `{"level":0.57}`, 350: `{"level":3.5}`, 500: `{"level":5}`, -50: `{"level":-0.5}`,
	} {
		text, err := json.Marshal(answer{level})
		must(t, err)
		if string(text) != want {
			t.Errorf("got %s, want %s", text, want)
		}
	}
}

func TestLevelScan(t *testing.T) {
	for value, want := range map[any]models.Level{
		0.0: 0, 0.2: 20, 0.29: 29, 4.35: 435, 5.0: 500, -0.5: -50, 2.004: 200, 2.006: 201,
		int64(0): 0, int64(3): 300, int64(-1): -100,
		"0": 0, "0.20": 20, "4.35": 435, "-0.5": -50, "5": 500,
	} {
		level := models.Level(1)
		if err := level.Scan(value); err != nil || level != want {
			t.Errorf("%v of type %T is read as %v (%v), want %v", value, value, level, err, want)
		}
	}
}

// A number that is no level is an error and not another level.
func TestBadLevel(t *testing.T) {
	for _, value := range []any{
		nil, "", "high", "5 or so", "NaN", "Inf", "1e9", true, []byte("high"), noon,
		math.NaN(), math.Inf(1), math.Inf(-1), 1e9, -1e9, 400.0, int64(400), int64(-400), int64(1 << 40), int64(656), int64(math.MinInt64),
	} {
		level := models.Level(7)
		if err := level.Scan(value); err == nil || !strings.Contains(err.Error(), "level") {
			t.Errorf("%v of type %T is read as %v (%v)", value, value, level, err)
		}
		if level != 7 {
			t.Errorf("%v of type %T, which is refused, leaves %v", value, value, level)
		}
	}
	for _, text := range []string{`"high"`, `{}`, `400`, `1e300`} {
		var level models.Level
		if err := json.Unmarshal([]byte(text), &level); err == nil {
			t.Errorf("JSON %s is read as %v", text, level)
		}
	}
}

// Every level there is comes back from its column, a STRICT REAL or a numeric,
// as it was, and the database finds it by its number.
func TestLevelsInTheDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		user := newUser("ada")
		must(t, db.Create(&user).Error)
		var want []models.Level
		for level := models.LevelMin; level <= models.LevelMax; level++ {
			must(t, db.Create(&models.MasteryStat{
				UserID: user.ID, Operation: "addition", Fact: level.String(), MasteryLevel: level, LastDelta: -level,
				LastAnswerID: models.NewID(), Attempts: 1, UpdatedAt: noon,
			}).Error)
			want = append(want, level)
		}
		var stats []models.MasteryStat
		must(t, db.Order("mastery_level").Find(&stats).Error)
		var got []models.Level
		for _, stat := range stats {
			got = append(got, stat.MasteryLevel)
			if stat.LastDelta != -stat.MasteryLevel {
				t.Errorf("the last delta of %v is %v", stat.MasteryLevel, stat.LastDelta)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("levels (-want +got)\n%s", diff)
		}
		for _, level := range want {
			var fact string
			must(t, db.Raw("SELECT fact FROM mastery_stats WHERE mastery_level = ?", level).Scan(&fact).Error)
			if fact != level.String() {
				t.Errorf("%v is found as %q", level, fact)
			}
		}
	})
}

// A rule's delta may be greater than a level: every one is kept as it is.
func TestGreatestDeltasInTheDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		user := newUser("ada")
		must(t, db.Create(&user).Error)
		for fact, want := range map[string]models.Level{"1+1": math.MaxInt16, "2+2": math.MinInt16} {
			must(t, db.Create(&models.MasteryStat{
				UserID: user.ID, Operation: "addition", Fact: fact, LastDelta: want, LastAnswerID: models.NewID(), Attempts: 1, UpdatedAt: noon,
			}).Error)
			var got models.MasteryStat
			must(t, db.Take(&got, "fact = ?", fact).Error)
			if got.LastDelta != want {
				t.Errorf("%v is read as %v", want, got.LastDelta)
			}
		}
	})
}

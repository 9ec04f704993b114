package hooks

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// T24: the fix is in 3.51.3, and in the last releases of two older lines.
func TestWALResetFixed(t *testing.T) {
	for version, want := range map[string]bool{
		"3.54.1": true, "3.53.0": true, "3.51.3": true, "3.51.2": false, "3.51.0": false,
		"3.50.7": true, "3.50.6": false, "3.49.2": false, "3.45.1": false,
		"3.44.6": true, "3.44.5": false, "3.8.9": false, "3.7.0": false, "4.0.0": true, "unknown": false,
	} {
		if got := walResetFixed(version); got != want {
			t.Errorf("%s: got %v", version, got)
		}
	}
}

func TestJudgeVersion(t *testing.T) {
	for _, test := range []struct {
		version  string
		readOnly bool
		found    int
		severe   bool
	}{
		{"3.54.1", false, 0, false},
		{"3.51.2", false, 1, true},
		{"3.51.2", true, 1, false},
	} {
		found := judgeVersion(test.version, test.readOnly)
		if len(found) != test.found || len(found) > 0 && found[0].Severe != test.severe {
			t.Errorf("%+v: got %+v", test, found)
		}
	}
}

func TestJudgeFreeSpace(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		free, reserve int64
		why           string // "" where there is no finding
	}{
		{127 * mib, 64 * mib, "below 64 MB"},
		{128 * mib, 64 * mib, ""},
		{0, 1 * mib, "below 1 MB"},
		{127 * mib, -1, "when the disk is full"},
		{128 * mib, -1, ""},
	} {
		found := judgeFreeSpace("data", test.free, test.reserve)
		if (len(found) > 0) != (test.why != "") {
			t.Errorf("%+v: got %+v", test, found)
		}
		if len(found) > 0 && !strings.Contains(found[0].Why, test.why) {
			t.Errorf("%+v: got %q", test, found[0].Why)
		}
	}
}

func TestJudgeExposure(t *testing.T) {
	for open, want := range map[fs.FileMode]string{0o004: "may read", 0o002: "may write", 0o006: "may write"} {
		if got := judgeExposure("app.db", open); !strings.Contains(got.What, want) || got.Severe {
			t.Errorf("%o: got %+v", open, got)
		}
	}
}

func TestSettingsJudge(t *testing.T) {
	good := settings{journalMode: "wal", synchronous: 1, foreignKeys: true, autoVacuum: 2}
	bad := settings{journalMode: "delete"}
	for name, test := range map[string]struct {
		change func(s *settings)
		from   settings
		want   []FindingKind
	}{
		"good":          {func(*settings) {}, good, nil},
		"bad":           {func(*settings) {}, bad, []FindingKind{FindingForeignKeys, FindingJournalMode, FindingSynchronous, FindingAutoVacuum}},
		"bad, memory":   {func(s *settings) { s.memory = true }, bad, []FindingKind{FindingForeignKeys}},
		"bad, readOnly": {func(s *settings) { s.readOnly = true }, bad, []FindingKind{FindingForeignKeys}},
		"no vacuum":     {func(s *settings) { s.autoVacuum = 0 }, good, []FindingKind{FindingAutoVacuum}},
	} {
		t.Run(name, func(t *testing.T) {
			test.change(&test.from)
			if got := kindsOf(test.from.judge()); !slices.Equal(got, test.want) {
				t.Fatalf("got %v, want %v", got, test.want)
			}
		})
	}
}

func kindsOf(found []Finding) (kinds []FindingKind) {
	for _, f := range found {
		kinds = append(kinds, f.Kind)
	}
	return kinds
}

func TestConfigRefuse(t *testing.T) {
	found := []Finding{
		{Kind: FindingAutoVacuum},
		{Kind: FindingFileSystem, Severe: true, What: "data is on nfs"},
		{Kind: FindingNotWritable, Severe: true},
		{Kind: FindingNotWritable, Severe: true},
	}
	for _, test := range []struct {
		accept, want []FindingKind
	}{
		{nil, []FindingKind{FindingFileSystem, FindingNotWritable, FindingNotWritable}},
		{[]FindingKind{FindingFileSystem}, []FindingKind{FindingNotWritable, FindingNotWritable}},
		{[]FindingKind{FindingNotWritable, FindingFileSystem}, nil},
	} {
		err := Config{Accept: test.accept}.refuse(found)
		var refused *RefusedError
		if errors.As(err, &refused) != (test.want != nil) {
			t.Fatalf("%v: got error %v", test.accept, err)
		}
		if err != nil && !slices.Equal(kindsOf(refused.Findings), test.want) {
			t.Fatalf("%v: got %v, want %v", test.accept, kindsOf(refused.Findings), test.want)
		}
	}
	if err := (Config{}).refuse(found); !strings.Contains(err.Error(), "data is on nfs") ||
		!strings.Contains(err.Error(), "Config.Accept: file_system, not_writable)") {
		t.Errorf("got %q", err)
	}
}

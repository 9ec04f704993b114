package storage

import (
	"reflect"
	"testing"
	"time"
)

// What the documentation says of the zero Config.
func TestConfigDefaults(t *testing.T) {
	cfg := Config{}.withDefaults()
	if cfg.PresenceInterval != 30*time.Second {
		t.Errorf("times of Touch are written each %v", cfg.PresenceInterval)
	}
	if cfg.SettleBatch != 500 || cfg.Migrate != MigrateApply || cfg.TablePrefix != "" || cfg.Now == nil {
		t.Errorf("got %+v", cfg)
	}
	got, want := *cfg.Rules, DefaultRules()
	got.Mastery, want.Mastery = nil, nil // functions are not compared
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got rules %+v, want %+v", got, want)
	}
}

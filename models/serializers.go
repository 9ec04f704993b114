package models

import (
	"context"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm/schema"
)

// The serializers are known to GORM by these names in a field's tag.
func init() {
	schema.RegisterSerializer("flashstore_millis", millis{})
	schema.RegisterSerializer("flashstore_nullable", nullable{})
}

// millis stores a time.Time, or a *time.Time that may be nil, as milliseconds
// since 1970. SQLite has no time of its own: GORM's text sorts wrongly across
// zones and reads garbage as the zero time, without an error (T20).
type millis struct{}

// Scan reads milliseconds into the field.
func (millis) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, value any) error {
	target := field.ReflectValueOf(ctx, dst)
	switch v := value.(type) {
	case nil:
		target.SetZero()
	case int64:
		t := time.UnixMilli(v).UTC()
		if target.Kind() == reflect.Pointer {
			target.Set(reflect.ValueOf(&t))
		} else {
			target.Set(reflect.ValueOf(t))
		}
	default:
		return fmt.Errorf("read column %s: %v of type %T is not a time in milliseconds since 1970", field.DBName, value, value)
	}
	return nil
}

// Value writes the field as milliseconds.
func (millis) Value(_ context.Context, field *schema.Field, _ reflect.Value, value any) (any, error) {
	switch t := value.(type) {
	case time.Time:
		return t.UnixMilli(), nil
	case *time.Time:
		if t == nil {
			return nil, nil
		}
		return t.UnixMilli(), nil
	}
	return nil, fmt.Errorf("write column %s: %T is not a time", field.DBName, value)
}

// nullable stores an empty string as NULL, so that a unique column may be
// left out by many.
type nullable struct{}

// Scan reads text or NULL into the field.
func (nullable) Scan(ctx context.Context, field *schema.Field, dst reflect.Value, value any) error {
	target := field.ReflectValueOf(ctx, dst)
	switch v := value.(type) {
	case nil:
		target.SetString("")
	case string:
		target.SetString(v)
	case []byte:
		target.SetString(string(v))
	default:
		return fmt.Errorf("read column %s: %T is not text", field.DBName, value)
	}
	return nil
}

// Value writes the field's text, or NULL.
func (nullable) Value(_ context.Context, _ *schema.Field, _ reflect.Value, value any) (any, error) {
	if value == "" {
		return nil, nil
	}
	return value, nil
}

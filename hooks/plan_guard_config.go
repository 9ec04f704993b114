package hooks

import (
	"errors"
	"fmt"
	"strings"
)

const defaultMinRows = 100

func (c PlanGuardConfig) withDefaults() PlanGuardConfig {
	if c.MinRows == 0 {
		c.MinRows = defaultMinRows
	}
	return c
}

func (c PlanGuardConfig) validate() error {
	var errs []error
	if c.MinRows < -1 {
		errs = append(errs, fmt.Errorf("hooks.PlanGuardConfig.MinRows is %d: give a number of rows, or -1 to fail every scan", c.MinRows))
	}
	for i, e := range c.Allow {
		if strings.TrimSpace(e.Reason) == "" {
			errs = append(errs, fmt.Errorf("hooks.PlanGuardConfig.Allow[%d] has no Reason: say why the plan is good enough", i))
		}
		if strings.TrimSpace(e.SQL) == "" && e.Table == "" {
			errs = append(errs, fmt.Errorf("hooks.PlanGuardConfig.Allow[%d] excuses everything: give SQL, Table or both", i))
		}
	}
	return errors.Join(errs...)
}

// excuse returns the number of the first exception that lets a problem with
// table through in query, or -1.
func (c PlanGuardConfig) excuse(query, table string) int {
	query = oneSpace(query)
	for i, e := range c.Allow {
		if (e.Table == "" || strings.EqualFold(e.Table, table)) && strings.Contains(query, oneSpace(e.SQL)) {
			return i
		}
	}
	return -1
}

// oneSpace makes one space of any space.
func oneSpace(text string) string { return strings.Join(strings.Fields(text), " ") }

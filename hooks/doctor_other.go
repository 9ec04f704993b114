//go:build !linux

package hooks

// otherProcess cannot tell here.
func otherProcess(string) (pid int, found bool) { return 0, false }

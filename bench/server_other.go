//go:build !unix

package main

import "syscall"

// account is of Unix; elsewhere there is no server.
type account struct{}

func serverAccount() (*account, error)                { return nil, errNoServer }
func (*account) attributes() *syscall.SysProcAttr     { return nil }
func (*account) folder(parent string) (string, error) { return parent, nil }
func (*account) reachable(dir string) string          { return dir }

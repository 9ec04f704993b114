package main

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/flashstore/flashstore/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

package storagetest_test

import (
	"testing"

	"github.com/flashstore/flashstore/storagetest"
)

func TestExercise(t *testing.T) { onEach(t, storagetest.Exercise) }

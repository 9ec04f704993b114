package storage_test

import (
	"fmt"
	"testing"
	"time"
)

func TestMeasureArchive(t *testing.T) {
	f := MustOpen(t)
	users := MustUsers(t, f, 20)
	for _, u := range users {
		MustAppend(t, f.Store, u.ID, oldAnswers(5000)...)
	}
	s := time.Now()
	r := MustArchive(t, f.Store)
	fmt.Println("moved", r.Answers, time.Since(s))
	s = time.Now()
	MustVerify(t, f.Store)
	fmt.Println("verify", time.Since(s))
	s = time.Now()
	MustArchive(t, f.Store)
	fmt.Println("again", time.Since(s))
	stop := make(chan struct{})
	_ = stop
}

package writequeue

// Left returns what is left in a queue in which nobody is any more: keys that
// it remembers, groups that it takes to be under way.
func (q *Queue) Left() (keys, groups int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.places.mu.Lock()
	defer q.places.mu.Unlock()
	return len(q.places.keys), q.groups
}

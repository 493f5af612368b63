package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// maxBatch bounds how many writes share a commit, and so how much work one
// failure can undo.
const maxBatch = 256

// writer commits writes in groups: while one commit waits for the disk the
// next writes gather, and then share a single commit. With one writer this
// costs nothing; with many it is what makes synchronous=FULL fast.
type writer struct {
	db     *sql.DB
	queue  chan *write
	closed chan struct{} // no more writes are taken
	done   chan struct{} // the goroutine has ended
	once   sync.Once
}

// write is one unit of work. do must leave the transaction as it found it
// when it returns an error that is not the database's, since the rest of the
// group commits all the same.
type write struct {
	do     func(*sql.Tx) error
	err    error // of do; valid once result was sent
	result chan error
}

func startWriter(db *sql.DB) *writer {
	w := &writer{db: db, queue: make(chan *write, maxBatch), closed: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// submit runs do inside some transaction and returns once that is committed.
func (w *writer) submit(ctx context.Context, do func(*sql.Tx) error) error {
	op := &write{do: do, result: make(chan error, 1)}
	select {
	case <-w.closed:
		return ErrClosed
	default:
	}
	select {
	case w.queue <- op:
	case <-w.closed:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-op.result:
		return err
	case <-w.done:
		// The queue may have taken the write as the writer ended.
		select {
		case err := <-op.result:
			return err
		default:
			return ErrClosed
		}
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *writer) stop() {
	w.once.Do(func() { close(w.closed) })
	<-w.done
}

func (w *writer) run() {
	defer close(w.done)
	for {
		select {
		case op := <-w.queue:
			w.commit(w.gather(op))
		case <-w.closed:
			for {
				select {
				case op := <-w.queue:
					w.commit(w.gather(op))
				default:
					return
				}
			}
		}
	}
}

// gather takes what is waiting already; it never waits for more.
func (w *writer) gather(first *write) []*write {
	batch := []*write{first}
	for len(batch) < maxBatch {
		select {
		case op := <-w.queue:
			batch = append(batch, op)
		default:
			return batch
		}
	}
	return batch
}

func (w *writer) commit(batch []*write) {
	err := w.transact(batch)
	for _, op := range batch {
		if err != nil {
			op.result <- fmt.Errorf("store: writing: %w", err)
		} else {
			op.result <- op.err
		}
	}
}

func (w *writer) transact(batch []*write) error {
	tx, err := w.db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	for _, op := range batch {
		if op.err = op.do(tx); op.err != nil && !refusal(op.err) {
			return op.err
		}
	}
	return tx.Commit()
}

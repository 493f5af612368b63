package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sotto-sfu/sotto/signaling/protocol"
)

// refusal tells an answer ("there is one already") from a failure, which
// undoes the transaction it happened in.
func refusal(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrTooManyCalls) || errors.Is(err, ErrNoCall)
}

func (s *sqliteStore) CreateCall(ctx context.Context, c Call, maxPerCreator int) (bool, error) {
	// No named result: after a cancelled wait the write may still be running,
	// and this variable is its own.
	created := false
	err := s.writer.submit(ctx, func(tx *sql.Tx) error {
		var key []byte
		err := tx.QueryRow("SELECT admission_key FROM calls WHERE call_id = ?", string(c.ID)).Scan(&key)
		switch {
		case err == nil && bytes.Equal(key, c.AdmissionKey):
			return nil
		case err == nil:
			return ErrConflict
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		var held int
		if err := tx.QueryRow("SELECT count(*) FROM calls WHERE creator = ?", string(c.Creator)).Scan(&held); err != nil {
			return err
		}
		if held >= maxPerCreator {
			return ErrTooManyCalls
		}
		created = true
		_, err = tx.Exec("INSERT INTO calls (call_id, admission_key, creator, created_at, last_used) VALUES (?, ?, ?, ?, ?)",
			string(c.ID), c.AdmissionKey, string(c.Creator), c.CreatedAt.UnixMilli(), c.LastUsed.UnixMilli())
		return err
	})
	if err != nil {
		return false, err
	}
	return created, nil
}

func (s *sqliteStore) Call(ctx context.Context, id protocol.CallID) (Call, error) {
	select {
	case <-s.writer.closed:
		return Call{}, ErrClosed
	default:
	}
	c := Call{ID: id}
	var creator string
	var createdAt, lastUsed int64
	err := s.read.QueryRowContext(ctx, "SELECT admission_key, creator, created_at, last_used FROM calls WHERE call_id = ?", string(id)).
		Scan(&c.AdmissionKey, &creator, &createdAt, &lastUsed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Call{}, ErrNoCall
	case err != nil:
		return Call{}, fmt.Errorf("store: reading a call: %w", err)
	}
	c.Creator, c.CreatedAt, c.LastUsed = protocol.DeviceID(creator), time.UnixMilli(createdAt), time.UnixMilli(lastUsed)
	return c, nil
}

func (s *sqliteStore) Touch(ctx context.Context, ids []protocol.CallID, at time.Time) error {
	return s.writer.submit(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec("UPDATE calls SET last_used = max(last_used, ?) WHERE call_id = ?", at.UnixMilli(), string(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *sqliteStore) DeleteUnused(ctx context.Context, before time.Time) (int, error) {
	var n int64
	err := s.writer.submit(ctx, func(tx *sql.Tx) error {
		res, err := tx.Exec("DELETE FROM calls WHERE last_used < ?", before.UnixMilli())
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// Package fields reads protobuf messages as far as a load needs: which fields, their numbers and their bytes.
package fields

import (
	"encoding/binary"
	"errors"
)

const (
	Varint    = 0 // a number follows the key
	Delimited = 2 // a length and so many bytes follow
)

var errShape = errors.New("a message that cannot be read")

// Walk calls what with every field of a message: numbers by value, everything else that is written here by its bytes.
func Walk(message []byte, what func(field int, value uint64, inner []byte) error) error {
	for len(message) > 0 {
		key, size := binary.Uvarint(message)
		if size <= 0 {
			return errShape
		}
		message = message[size:]
		value, size := binary.Uvarint(message)
		if size <= 0 {
			return errShape
		}
		message = message[size:]
		var inner []byte
		switch key & 7 {
		case Varint:
		case Delimited:
			if value > uint64(len(message)) {
				return errShape
			}
			inner, message = message[:value], message[value:]
		default:
			return errShape
		}
		if err := what(int(key>>3), value, inner); err != nil {
			return err
		}
	}
	return nil
}

// Number is a field that holds a number, as it is written.
func Number(field int, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field<<3|Varint)), value)
}

// Message is a field that holds bytes or another message, as it is written.
func Message(field int, inner []byte) []byte {
	head := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field<<3|Delimited)), uint64(len(inner)))
	return append(head, inner...)
}

package execsvc

import (
	"errors"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const domain = "execsvc"

// Refusal is what execsvc itself says about a failed call.
type Refusal struct {
	Code     codes.Code        // what to do next
	Reason   string            // why: a name of ErrorReason without its prefix; one newer than this client is possible
	Message  string            // one sentence for people; never to be parsed
	Metadata map[string]string // on a placement id_used: "false", the same id may be sent again; "true", take a new id

	// RetryAfter says when to try again; negative: waiting does not help.
	RetryAfter time.Duration
}

// RefusalOf reads our refusal out of an error. False: the error is not ours. It was made by this process or by a proxy (a
// deadline, a broken connection) and says nothing about the order.
func RefusalOf(err error) (Refusal, bool) {
	// Not status.FromError: where grpc-go has wrapped the answer after its last attempt, that mixes the wrapper's words in.
	var carrier interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &carrier) || carrier.GRPCStatus() == nil {
		return Refusal{}, false
	}
	answer := carrier.GRPCStatus()
	refusal := Refusal{Code: answer.Code(), Message: answer.Message(), RetryAfter: -1}
	ours := false
	for _, detail := range answer.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == domain {
				refusal.Reason, refusal.Metadata, ours = detail.GetReason(), detail.GetMetadata(), true
			}
		case *errdetails.RetryInfo:
			refusal.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	return refusal, ours
}

/** The wire package execsvc.v1, generated. */

export * from "./gen/execsvc/v1/account_service_pb.js";
export * from "./gen/execsvc/v1/admin_service_pb.js";
export * from "./gen/execsvc/v1/common_pb.js";
export * from "./gen/execsvc/v1/error_reason_pb.js";
export * from "./gen/execsvc/v1/limits_pb.js";
export * from "./gen/execsvc/v1/market_data_pb.js";
export * from "./gen/execsvc/v1/market_data_service_pb.js";
export * from "./gen/execsvc/v1/order_pb.js";
export * from "./gen/execsvc/v1/order_service_pb.js";

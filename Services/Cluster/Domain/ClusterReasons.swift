internal import ClusterBackend
internal import Core
internal import HarbourProtocol

extension TerminationReason {
    /// Somebody asked for it, by a code of capitals and underscores.
    static func asked(_ code: String) -> TerminationReason { TerminationReason(code: code, type: .success) }

    /// A user asked for it.
    static var userRequest: TerminationReason { .asked("USER_REQUEST") }

    /// Nobody used it for that long.
    static func inactivity(minutes: Int) -> TerminationReason {
        TerminationReason(code: "INACTIVITY", type: .success, parameters: ["inactivity_minutes": "\(minutes)"])
    }

    /// The backend could not start it.
    static func launchFailed(_ error: HarbourError) -> TerminationReason {
        let parameters = ["error_code": error.code.name, "message": error.message]
        switch error.code {
        case .unsupported, .invalidParameter, .conflict:
            return TerminationReason(code: "INVALID_ARGUMENT", type: .clientError, parameters: parameters)
        case .remoteTokenRejected:
            return TerminationReason(code: "ACCESS_TOKEN_FAILURE", type: .clientError, parameters: parameters)
        case .backendUnavailable, .launchFailed, .unavailable, .notFound, .permissionDenied:
            return TerminationReason(
                code: "CLOUD_PROVIDER_LAUNCH_FAILURE", type: .cloudFailure, parameters: parameters)
        default:
            return TerminationReason(code: "INTERNAL_ERROR", type: .serviceFault, parameters: parameters)
        }
    }

    /// Spark did not come up inside the driver.
    static func sparkFailed(_ code: String, _ message: String) -> TerminationReason {
        if code == "INIT_SCRIPT_FAILURE" {
            return TerminationReason(
                code: code, type: .clientError, parameters: ["error_code": code, "message": message])
        }
        let clients: Set<String> = ["CONFIG_INVALID", "OUT_OF_MEMORY", "MASTER_UNREACHABLE"]
        return TerminationReason(
            code: "SPARK_STARTUP_FAILURE", type: clients.contains(code) ? .clientError : .serviceFault,
            parameters: ["error_code": code, "message": message])
    }

    /// It took too long.
    static func startTimeout(_ limit: Duration) -> TerminationReason {
        TerminationReason(
            code: "SPARK_STARTUP_FAILURE", type: .serviceFault,
            parameters: [
                "error_code": "START_TIMEOUT",
                "message": "The cluster did not come up within \(limit.components.seconds) seconds.",
            ])
    }

    /// Spark ended while the cluster ran.
    static func sparkLost(_ code: String, _ message: String) -> TerminationReason {
        TerminationReason(
            code: code == "OUT_OF_MEMORY" ? "DRIVER_OUT_OF_MEMORY" : "SPARK_ERROR",
            type: code == "OUT_OF_MEMORY" ? .clientError : .serviceFault,
            parameters: ["error_code": code, "message": message])
    }

    /// The driver's process is gone.
    static func driverLost(_ end: ClusterEnd) -> TerminationReason {
        let parameters = ["error_code": end.kind.rawValue, "message": end.message]
        switch end.kind {
        case .outOfMemory:
            return TerminationReason(code: "DRIVER_OUT_OF_MEMORY", type: .clientError, parameters: parameters)
        case .hostRestarted, .removed:
            return TerminationReason(code: "INSTANCE_UNREACHABLE", type: .cloudFailure, parameters: parameters)
        case .exited, .killed:
            return TerminationReason(code: "DRIVER_LOST", type: .serviceFault, parameters: parameters)
        }
    }

    /// The driver's process may be there, but does not answer.
    static var driverUnreachable: TerminationReason {
        TerminationReason(
            code: "DRIVER_UNREACHABLE", type: .serviceFault,
            parameters: ["message": "The driver did not answer any more."])
    }

    /// The driver is there, and is not the one that was given our token.
    static var driverRefused: TerminationReason {
        TerminationReason(
            code: "ACCESS_TOKEN_FAILURE", type: .serviceFault,
            parameters: [
                "error_code": "UNAUTHENTICATED",
                "message":
                    "The driver does not accept the cluster's token: somebody has changed it, or another program "
                    + "listens at the driver's address. Start the cluster again.",
            ])
    }

    /// The sentence in it, if there is one.
    var sentence: String? { parameters?["message"] }
}

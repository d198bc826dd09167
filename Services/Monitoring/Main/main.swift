import MonitoringService
import ServiceKit

ServiceRuntime.main(MonitoringService.definition)

import SchedulerService
import ServiceKit

ServiceRuntime.main(SchedulerService.definition)

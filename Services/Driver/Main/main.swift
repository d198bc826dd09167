import DriverService
import ServiceKit

ServiceRuntime.main(DriverService.definition(), adapt: DriverService.adoptStartVariables)

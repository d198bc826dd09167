import ServiceKit
import WorkspaceService

ServiceRuntime.main(WorkspaceService.definition)

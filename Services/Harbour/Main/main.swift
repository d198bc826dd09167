import HarbourService

HarbourCommand.main()

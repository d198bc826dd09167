// The service's definition joins the driver to ServiceKit.

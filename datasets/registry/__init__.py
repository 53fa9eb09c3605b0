"""Where bundles come from by name and alias: a folder, the service, MLflow's registry."""

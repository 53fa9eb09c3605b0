"""Runs, logged models and the model registry in MLflow. Nothing else imports mlflow."""

import os

# mlflow decides while it is imported whether it reports its use to its makers, and a factory's network is not to be called
# out of. This runs before any module here can import mlflow; whoever sets the variable to false is heard.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

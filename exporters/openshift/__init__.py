"""Pods, as the jobs that XDMoD's slurm format has."""

from exporters.openshift.export import TARGET, ExportedJobs, JobFiles, export_days, export_jobs
from exporters.openshift.form import JobForm
from exporters.openshift.late import Late

__all__ = ["TARGET", "ExportedJobs", "JobFiles", "JobForm", "Late", "export_days", "export_jobs"]

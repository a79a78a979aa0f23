# Entry point. `snakemake --cores 8 all` makes the run of params.yaml; a preset from
# workflow/presets/ laid over it with --configfile makes another run.
import json
import os
import sys
from pathlib import Path

from snakemake.utils import min_version, update_config

# A CPU's maps come and go by megabytes: let glibc keep them, or it spends half of the time on fetching
# and clearing pages. Bytes; of the first, the greatest that it takes.
os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20))
os.environ.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**30))

# The code beside this file, not that of another checkout in whose environment Snakemake may run.
SOURCE = str(Path(workflow.basedir, "src"))
sys.path.insert(0, SOURCE)

from clearfilters.artifacts import CHECKPOINT_FILES
from clearfilters.errors import ClearfiltersError
from clearfilters.given import settle_networks
from clearfilters.machine import gpus, memory_mb
from clearfilters.params.measurements import of_kind
from clearfilters.params.sources import read_parameter_file, typed
from clearfilters.registry import FIGURES, MEASUREMENTS, TABLES
from clearfilters.reporting.figures import CONTACT_SHEET, figure_spec
from clearfilters.reporting.records import DATA
from clearfilters.reporting.report_captions import figure_caption, table_caption
from clearfilters.reporting.summary import ANALYSES as SUMMARIZED
from clearfilters.reporting.tables import table_spec
from clearfilters.step_code import step_files
from clearfilters.travelling import RECORDS, restore_records
from clearfilters.workflow import Plan, TABLE_KINDS

min_version("9.14")


# Of a folder of one's own (snakemake --directory), else the one beside this file.
configfile: "params.yaml" if Path("params.yaml").is_file() else str(Path(workflow.basedir, "params.yaml"))


try:
    for file in workflow.configfiles:
        read_parameter_file(Path(file))
    update_config(config, typed(workflow.config_settings.config))
    plan = Plan(config)
    if workflow.is_main_process:
        # What DVC has put in place is known again before anything is asked of it.
        restore_records(Path(plan.results, RECORDS))
        settle_networks(plan)
except ClearfiltersError as error:
    sys.exit(f"{error}")

# Jobs run SOURCE, too, by the `clearfilters` command beside this Python, active environment or not.
os.environ.update(
    PATH=os.pathsep.join([str(Path(sys.executable).parent), os.getenv("PATH", "")]),
    PYTHONPATH=os.pathsep.join(filter(None, [SOURCE, os.getenv("PYTHONPATH")])),
)


# Jobs that run here share this machine's memory, as they share its cores: Snakemake limits what is
# given only. A cluster limits its jobs itself.
if workflow.is_main_process and workflow.local_exec:
    if "mem_mb" not in workflow.global_resources:
        workflow.register_resource("mem_mb", memory_mb())


wildcard_constraints:
    dataset="|".join(plan.datasets),
    experiment="|".join(plan.experiments),
    seed=r"\d+",


onstart:
    # DVC wants each of its folders, and a run may have no attacks, or no galleries.
    for folder in ("adversarial", "filters"):
        Path(plan.results, folder).mkdir(parents=True, exist_ok=True)
    # Only a cluster needs a limit on jobs started in a second. Here it costs a third of a core after a
    # hundred jobs: for each finished job Snakemake looks at all that are ready once more in every
    # second that follows (9.27, JobScheduler.schedule).
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


rule all:
    default_target: True
    input:
        plan.promised_files(),


include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/attacks.smk"
include: "workflow/rules/gallery.smk"
include: "workflow/rules/report.smk"

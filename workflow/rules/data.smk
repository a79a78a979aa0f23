# Raw files -> processed store.


rule data:
    input:
        plan.store_files(),


rule store:
    input:
        modules=step_files("prepare"),
    output:
        plan.store_files(),
    log:
        f"{plan.results}/logs/store.log",
    threads: 1
    resources:
        mem_mb=2000,
        # Where the raw files lie shapes no result, so it is no parameter: Snakemake would prepare
        # the data again, and with it train every network, when only the place has changed.
        raw=plan.params.raw.root,
        download="--download" if plan.params.raw.download else "",
    params:
        slice=plan.data_slice(),
        out=lambda wildcards, output: Path(output[0]).parent,
    shell:
        "clearfilters prepare --parameters {params.slice:q} --raw {resources.raw:q}"
        " {resources.download} --out {params.out:q} 2>&1 | tee {log:q}"

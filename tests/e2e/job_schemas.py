"""The rules that the published schemas (draft 2020-12) have for job archives, and documents that keep all of them."""

STRING, NUMBER, INTEGER, BOOLEAN = ({"type": t} for t in ("string", "number", "integer", "boolean"))
COUNT = {"type": "integer", "exclusiveMinimum": 0}
MEASURE = {"type": "number", "minimum": 0}


def word(*words):
    return {"type": "string", "enum": list(words)}


def array(items, **more):
    return {"type": "array", "items": items, **more}


def members(properties, required="", typed=True, **more):
    return {**({"type": "object"} if typed else {}), "properties": properties,
            **({"required": required.split()} if required else {}), **more}


UNIT = members({"base": word("B", "F", "B/s", "F/s", "CPI", "IPC", "Hz", "W", "J", "°C", ""),
                "prefix": word("K", "M", "G", "T", "P", "E")}, "base")


def file_systems(figure):
    figures = "read_bw write_bw read_req write_req inodes accesses fsync create open close seek".split()
    kind = word("nfs", "lustre", "gpfs", "nvme", "ssd", "hdd", "beegfs")
    return array(members({"name": STRING, "type": kind, **{f: figure for f in figures}},
                         "name type read_bw write_bw"), minItems=1)


STATISTIC = members({"unit": UNIT, "avg": MEASURE, "min": MEASURE, "max": MEASURE}, "unit avg min max")
METRICS = ("mem_used cpu_load flops_any mem_bw net_bw ipc cpu_user flops_dp flops_sp vectorization_ratio cpu_power "
           "mem_power acc_utilization acc_mem_used acc_power clock eth_read_bw eth_write_bw ic_rcv_packets "
           "ic_send_packets ic_read_bw ic_write_bw").split()

META = members({
    "jobId": INTEGER, "user": STRING, "project": STRING, "cluster": STRING, "subCluster": STRING,
    "partition": STRING, "arrayJobId": INTEGER, "numNodes": COUNT, "numHwthreads": COUNT, "numAcc": COUNT,
    "shared": word("none", "single_user", "multi_user"), "monitoringStatus": INTEGER, "smt": INTEGER,
    "walltime": COUNT, "startTime": COUNT, "duration": COUNT, "id": INTEGER, "submitTime": INTEGER,
    "requestedMemory": COUNT, "energy": NUMBER,
    "jobState": word("boot_fail", "cancelled", "completed", "deadline", "failed", "node_fail", "out_of_memory",
                     "pending", "preempted", "running", "suspended", "timeout"),
    "resources": array(members({"hostname": STRING, "hwthreads": array(INTEGER), "accelerators": array(STRING),
                                "configuration": STRING}, "hostname", minItems=1)),
    "metaData": members({"jobScript": STRING, "jobName": STRING, "slurmInfo": STRING}),
    "tags": array(members({"name": STRING, "type": STRING, "scope": STRING, "id": INTEGER}, "name type"),
                  uniqueItems=True),
    "energyFootprint": {"type": "object", "additionalProperties": NUMBER},
    "footprint": {"type": "object", "additionalProperties": NUMBER},
    "concurrentJobs": members({"items": array(members({"id": INTEGER, "jobId": INTEGER}, "id jobId")),
                               "count": INTEGER}, "items count"),
    "statistics": members({**{m: STATISTIC for m in METRICS}, "filesystems": file_systems(STATISTIC)},
                          "cpu_user cpu_load mem_used flops_any mem_bw"),
}, "jobId user project cluster subCluster numNodes shared startTime jobState duration resources statistics")

MEASURES = array(MEASURE, minItems=3)
SCOPE = members({
    "unit": UNIT, "timestep": INTEGER,
    "statisticsSeries": members({**{k: MEASURES for k in ("min", "max", "mean", "median")}, "percentiles": members(
        {k: MEASURES for k in "10 20 25 30 40 50 60 70 75 80 90".split()})}),
    "series": array(members({
        "hostname": STRING, "id": STRING,
        "statistics": members({k: MEASURE for k in ("avg", "min", "max")}, "avg min max"),
        "data": {"type": "array", "contains": MEASURE, "minItems": 1}}, "hostname statistics data")),
}, "unit timestep series")


def by_scope(scopes, **more):
    return members({s: SCOPE for s in scopes.split()}, typed=False, **more)


NODE = by_scope("node", required="node")
THREADS = by_scope("node socket memoryDomain core hwthread", minProperties=1)
DATA = members({
    **{m: THREADS for m in "flops_any ipc cpu_user flops_dp flops_sp vectorization_ratio clock".split()},
    **{m: NODE for m in "cpu_load eth_read_bw eth_write_bw ic_rcv_packets ic_send_packets ic_read_bw "
                        "ic_write_bw".split()},
    **{m: {"type": "object", **NODE} for m in ("mem_used", "net_bw")},
    **{m: by_scope("accelerator", required="accelerator") for m in ("acc_utilization", "acc_mem_used", "acc_power")},
    **{m: by_scope("node socket", minProperties=1) for m in ("cpu_power", "mem_power")},
    "mem_bw": by_scope("node socket memoryDomain", minProperties=1),
    "filesystems": file_systems(NODE),
}, "cpu_user cpu_load mem_used flops_any mem_bw net_bw filesystems")

WORDS = {"footprint": word("avg", "max", "min"), "energy": word("power", "energy"), "lowerIsBetter": BOOLEAN,
         "restrict": BOOLEAN, "peak": NUMBER, "normal": NUMBER, "caution": NUMBER, "alert": NUMBER}
METRIC = members({
    "name": STRING, "unit": UNIT, "timestep": INTEGER, "aggregation": word("sum", "avg"), **WORDS,
    "scope": word("node", "socket", "memoryDomain", "core", "hwthread", "accelerator"),
    "subClusters": array(members({"name": STRING, "remove": BOOLEAN, **WORDS}, "name")),
}, "name unit scope timestep aggregation peak normal caution alert")
AMOUNT = members({"unit": UNIT, "value": NUMBER})
LISTS = array(array(INTEGER))
CLUSTER = members({
    "name": STRING, "metricConfig": array(METRIC, minItems=1),
    "subClusters": array(members({
        "name": STRING, "nodes": STRING, "processorType": STRING, "socketsPerNode": INTEGER,
        "coresPerSocket": INTEGER, "threadsPerCore": INTEGER, "flopRateScalar": AMOUNT, "flopRateSimd": AMOUNT,
        "memoryBandwidth": AMOUNT, "metricConfig": array(METRIC), "footprint": array(STRING),
        "energyFootprint": array(STRING),
        "topology": members({
            "node": array(INTEGER), "socket": LISTS, "memoryDomain": LISTS, "die": LISTS, "core": LISTS,
            "accelerators": array(members({"id": STRING, "type": word("Nvidia GPU", "AMD GPU", "Intel GPU"),
                                           "model": STRING}, "id type model"))}, "node socket memoryDomain"),
    }, "name nodes topology processorType socketsPerNode coresPerSocket threadsPerCore flopRateScalar flopRateSimd "
       "memoryBandwidth"), minItems=1),
}, "name metricConfig subClusters")


# ---- documents that keep every rule and have every member ------------------------------------------------------

def unit():
    return {"base": "B/s", "prefix": "G"}


def statistic():
    return {"unit": unit(), "avg": 1.5, "min": 0, "max": 3.25}


def valid_meta(cluster, job_id, start):
    named = {"name": "scratch", "type": "lustre"}
    return {
        "jobId": job_id, "user": "u", "project": "p", "cluster": cluster, "subCluster": "main", "partition": "work",
        "arrayJobId": 7, "numNodes": 1, "numHwthreads": 2, "numAcc": 1, "shared": "none", "monitoringStatus": 1,
        "smt": 1, "walltime": 3600, "startTime": start, "duration": 120, "id": 3, "submitTime": start - 5,
        "requestedMemory": 100, "energy": 0.5, "jobState": "completed",
        "resources": [{"hostname": "n01", "hwthreads": [0, 1], "accelerators": ["00:49:00.0"], "configuration": "x"}],
        "metaData": {"jobScript": "#!/bin/sh\n" * 9, "jobName": "ü", "slurmInfo": "", "mine": "x"},
        "tags": [{"name": "a", "type": "b", "scope": "c", "id": 1}, {"name": "a", "type": "b", "scope": "c", "id": 2}],
        "energyFootprint": {"cpu_power": 0.25}, "footprint": {"mem_bw_avg": 1.5},
        "concurrentJobs": {"items": [{"id": 1, "jobId": 2}], "count": 1},
        "statistics": {**{m: statistic() for m in ("cpu_user", "cpu_load", "mem_used", "flops_any", "mem_bw", "ipc")},
                       "mine": {"unit": {"base": "load"}, "avg": -1, "min": -2, "max": 0},
                       "filesystems": [{**named, "read_bw": statistic(), "write_bw": statistic(),
                                        "open": statistic()}]},
    }


def one_scope(**more):
    return {"unit": unit(), "timestep": 60, **more,
            "series": [{"hostname": "n01", "id": "0", "statistics": {"min": 0.5, "avg": 1, "max": 2.25},
                        "data": [0.5, None, 2.25]}]}


def valid_data():
    values = [0, 1.5, 2]
    many = {"min": values, "max": values, "mean": values, "median": values,
            "percentiles": {"10": values, "25": values, "90": values}}
    on_node = {"node": one_scope()}
    return {"cpu_user": {"node": one_scope(statisticsSeries=many), "hwthread": one_scope()}, "cpu_load": on_node,
            "mem_used": on_node, "flops_any": {"core": one_scope()}, "mem_bw": {"memoryDomain": one_scope()},
            "net_bw": on_node, "cpu_power": {"socket": one_scope()}, "acc_power": {"accelerator": one_scope()},
            "mine": {"node": one_scope()},
            "filesystems": [{"name": "scratch", "type": "nfs", "read_bw": on_node, "write_bw": on_node,
                             "seek": on_node}]}


def valid_cluster(name):
    thresholds = {"peak": 100, "normal": 50.5, "caution": 20, "alert": 0}
    metric = {"name": "mem_bw", "unit": unit(), "scope": "socket", "timestep": 60, "aggregation": "sum",
              "footprint": "avg", "energy": "power", "lowerIsBetter": True, "restrict": False, **thresholds,
              "subClusters": [{"name": "main", "footprint": "max", "energy": "energy", "lowerIsBetter": False,
                               "remove": True, "restrict": True, **thresholds}]}
    amount = {"unit": unit(), "value": 12.5}
    return {"name": name, "metricConfig": [metric], "subClusters": [{
        "name": "main", "nodes": "n[01-12]", "processorType": "x", "socketsPerNode": 1, "coresPerSocket": 2,
        "threadsPerCore": 1, "flopRateScalar": amount, "flopRateSimd": amount, "memoryBandwidth": amount,
        "metricConfig": [metric], "footprint": ["mem_bw"], "energyFootprint": ["mem_bw"],
        "topology": {"node": [0, 1], "socket": [[0, 1]], "memoryDomain": [[0, 1]], "die": [[0, 1]],
                     "core": [[0], [1]],
                     "accelerators": [{"id": "00:49:00.0", "type": "Nvidia GPU", "model": "A40"}]}}]}

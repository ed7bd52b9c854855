def diff(a,b):
    out=[]
    for f in a.__struct_fields__:
        x,y=getattr(a,f),getattr(b,f)
        if x!=y: out.append((f,[i for i in x if i not in y][:3] if isinstance(x,tuple) else x,[i for i in y if i not in x][:3] if isinstance(y,tuple) else y))
    return out
